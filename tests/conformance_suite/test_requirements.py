"""The requirements, the contract, the promises and the checks know each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from conformance.operations import KINDS, operations
from conformance.requirements import TIERS, Requirement, load_known_gaps, load_requirements

from contracts.tree import ROOT, list_files, list_python, parse, read

REQUIREMENTS = load_requirements()
PROMISE = re.compile(r"Promises: ([a-z ]+)")


def marks() -> list[list[str]]:
    """The ids in each `requirement` mark of the checks, read from their source: also of those not run now."""
    calls = [
        node
        for path in list_python("conformance")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement"
    ]
    return [[str(ast.literal_eval(argument)) for argument in call.args] for call in calls]


def test_every_requirement_is_exercised() -> None:
    """By a check that is about it, or by a test elsewhere that it names, and never by both."""
    checked = {ids[0] for ids in marks()}
    assert checked == {r.id for r in REQUIREMENTS if not r.shown_by}


def test_checks_name_no_other_requirement() -> None:
    """What a check names is in the file."""
    assert {id_ for ids in marks() for id_ in ids} <= {r.id for r in REQUIREMENTS}


def test_a_check_reaches_no_deeper_than_the_requirement_that_it_is_about() -> None:
    """Else a tier would have requirements that nothing in it looks at."""
    tier = {r.id: TIERS.index(r.tier) for r in REQUIREMENTS}
    assert [ids for ids in marks() if max(tier[id_] for id_ in ids) > tier[ids[0]]] == []


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.id)
def test_a_requirement_says_what_it_is(requirement: Requirement) -> None:
    """Who must meet it, where it is written, and what it is, in one sentence."""
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", requirement.id)
    assert set(requirement.services) <= set(KINDS)
    assert requirement.services
    assert requirement.tier in TIERS
    assert requirement.source
    assert requirement.text.endswith(".")
    assert requirement.text[0].isupper() or requirement.text[0] == "`"


def test_no_two_requirements_have_one_id() -> None:
    """An id is there once."""
    assert len({requirement.id for requirement in REQUIREMENTS}) == len(REQUIREMENTS)


def test_what_is_shown_elsewhere_is_there() -> None:
    """A requirement that no URL shows names a file with tests."""
    named = {Path(r.shown_by) for r in REQUIREMENTS if r.shown_by}
    assert named <= set(list_files())
    assert [path for path in sorted(named) if "def test_" not in read(path)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_one_requirement_speaks_of_the_successes_of_each_operation(kind: str) -> None:
    """So whatever an operation answers, it is known which requirement that breaks."""
    claimed = [o for r in REQUIREMENTS if kind in r.services for o in r.operations]
    for operation in operations(kind):
        assert claimed.count(operation.id) == 1, operation.id


@pytest.mark.parametrize("kind", KINDS)
def test_every_declared_error_answer_is_somebodys(kind: str) -> None:
    """Each status that an operation declares is claimed by a requirement."""
    claimed = {answer for r in REQUIREMENTS if kind in r.services for answer in r.answers}
    assert [
        f"{status} {operation.id}"
        for operation in operations(kind)
        for status in operation.responses
        if not status.startswith("2") and not {status, f"{status} {operation.id}"} & claimed
    ] == []


def test_requirements_of_the_standard_speak_of_the_standard() -> None:
    """What is an addition of ours is required of nobody else."""
    additions = {(kind, o.id) for kind in KINDS for o in operations(kind) if o.addition}
    standard = {(kind, o) for r in REQUIREMENTS if r.origin == "standard" for kind in r.services for o in r.operations}
    assert standard & additions == set()
    assert [r.id for r in REQUIREMENTS if r.origin == "standard" and r.source.startswith("Promises")] == []


def test_every_promise_has_a_requirement() -> None:
    """Each row of the table of promises in the architecture document is the source of one, and no other row is."""
    section = read(Path("docs/architecture.md")).partition("\n## Promises\n")[2].partition("\n## ")[0]
    rows = set(re.findall(r"^\| ([a-z ]+) \|", section, re.MULTILINE)) - {"thing"}
    assert rows
    assert {match[1] for r in REQUIREMENTS for match in [PROMISE.match(r.source)] if match} == rows


def test_known_gaps_are_of_requirements_that_there_are() -> None:
    """Each says why."""
    assert [gap for gap in load_known_gaps() if not gap.reason] == []
    assert (ROOT / "conformance" / "known_gaps.yaml").is_file()
