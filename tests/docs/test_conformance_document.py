"""The tables of docs/conformance.md are those of the requirements file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from conformance.requirements import ORIGINS, TIERS, load_requirements

from conformance_suite.arp_check import arp_check
from contracts.tree import read
from support.bestiary.flawed_runtime import Flaw, flawed_runtime

_DOCUMENT = read(Path("docs/conformance.md"))


def rows_of_the_standard() -> list[str]:
    """A row for each requirement of the standard."""
    return [
        f"| `{r.id}` | {r.tier} | {', '.join(r.services)} | {r.text} |"
        for r in load_requirements()
        if r.origin == "standard"
    ]


def rows_of_counts() -> list[str]:
    """A row for each origin: how many of its requirements are of which tier, and how many are shown elsewhere."""
    counted = {origin: Counter(r.tier for r in load_requirements() if r.origin == origin) for origin in ORIGINS}
    elsewhere = {origin: sum(bool(r.shown_by) for r in load_requirements() if r.origin == origin) for origin in ORIGINS}
    return [f"| {o} | {' | '.join(str(counted[o][tier]) for tier in TIERS)} | {elsewhere[o]} |" for o in ORIGINS]


def test_the_document_lists_what_the_standard_asks_for() -> None:
    """As the file has it, and in its order."""
    assert "\n".join(["| id | tier | who | what |", "|---|---|---|---|", *rows_of_the_standard()]) in _DOCUMENT


def test_the_document_counts_right() -> None:
    """Requirements by origin and tier."""
    head = f"| | {' | '.join(TIERS)} | of these shown by another test |"
    assert "\n".join([head, f"|---|{'---|' * len(TIERS)}---|", *rows_of_counts()]) in _DOCUMENT


def test_the_document_shows_a_failure_as_it_is_told() -> None:
    """What `arp-check` says of a runtime whose errors have a shape of their own."""
    with flawed_runtime(Flaw.OWN_ERRORS) as url:
        told = arp_check("runtime", url, "--tier=smoke", "--ours=skip")
    [shown] = re.findall(r"^```text\n( +failed .*?)^```", _DOCUMENT, re.DOTALL | re.MULTILINE)
    pattern = re.escape(shown).replace(re.escape("..."), r"\w+")
    assert re.search(pattern, told.stdout), told.stdout
