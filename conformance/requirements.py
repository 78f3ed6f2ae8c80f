"""The requirements that the suite checks, as data: `requirements.yaml`; and known gaps: `known_gaps.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from conformance.judgement import KnownGap
from conformance.specification import read_yaml

_HERE = Path(__file__).parent
KNOWN_GAPS = _HERE / "known_gaps.yaml"
# Whose requirement it is: every ARP v1 service must meet the standard's; ours are the promises that go beyond.
ORIGINS = ("standard", "ours")
# How deep the suite looks, each with what comes before it.
TIERS = ("smoke", "surface", "core", "deep")


class Requirement(NamedTuple):
    """One thing that a service must do."""

    id: str
    origin: str
    tier: str
    services: tuple[str, ...]
    source: str
    text: str
    operations: tuple[str, ...] = ()
    """Operations, by operationId, whose successful answers have the declared status and shape."""
    answers: tuple[str, ...] = ()
    """Declared error answers that the requirement is about: `404 get_tool`, or `404` for all operations."""
    shown_by: str = ""
    """The test that shows what a URL alone cannot; empty where the suite itself does."""


@cache
def load_requirements() -> tuple[Requirement, ...]:
    """Read all of them, in the order of the file."""
    document = read_yaml(_HERE / "requirements.yaml")
    return tuple(
        Requirement(
            entry["id"],
            origin,
            entry["tier"],
            tuple(entry["services"]),
            entry["source"],
            entry["text"],
            tuple(entry.get("operations", ())),
            tuple(entry.get("answers", ())),
            entry.get("shown_by", ""),
        )
        for origin in ORIGINS
        for entry in document[origin]
    )


def requirements_of(kind: str, tier: str, origins: tuple[str, ...] = ORIGINS) -> list[Requirement]:
    """Those that a kind of service must meet, up to a tier."""
    tiers = TIERS[: TIERS.index(tier) + 1]
    return [r for r in load_requirements() if kind in r.services and r.tier in tiers and r.origin in origins]


def load_known_gaps(path: Path = KNOWN_GAPS) -> list[KnownGap]:
    """Read the gaps; raise ValueError where the file does not say what it should."""
    known = {requirement.id for requirement in load_requirements()}
    try:
        gaps = [
            KnownGap(
                service["service_name"], str(service["service_version"]), gap["requirement"], gap["reason"].strip()
            )
            for service in read_yaml(path)["services"]
            for gap in service["gaps"]
        ]
    except (KeyError, TypeError, AttributeError, yaml.YAMLError) as exc:
        raise ValueError(f"{path} is no list of known gaps: {exc!r}") from exc
    unknown = {gap.requirement for gap in gaps} - known
    if unknown:
        raise ValueError(f"{path}: there is no requirement {', '.join(sorted(unknown))}")
    return gaps
