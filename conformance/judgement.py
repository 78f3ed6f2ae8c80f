"""From what the checks found to a verdict for each requirement. Values in, values out.

A check exercises one requirement or more. When it fails, it blames one of them: that which the failure names, else the
first that the check names. The others it could not look at, so they are `blocked`, not failed: nobody is accused of
what was not seen. What a gap explains is told as such; a gap that is none any more is told too.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.exchange import Exchange
    from conformance.requirements import Requirement


class Verdict(StrEnum):
    """What is said of a requirement."""

    PASSED = "passed"
    FAILED = "failed"
    KNOWN_GAP = "known gap"
    STALE_GAP = "stale gap"
    BLOCKED = "blocked"
    NOT_APPLICABLE = "not applicable"


class NotMetError(AssertionError):
    """A requirement is not met: the one that is named here, else the first one of the check."""

    def __init__(self, message: str, requirement: str | None = None) -> None:
        super().__init__(message)
        self.requirement = requirement


class UnusableAnswerError(AssertionError):
    """An answer that a check needs breaks the contract, which is told of that answer; the check can tell nothing."""


class Finding(NamedTuple):
    """What one check says of one requirement."""

    requirement: str
    outcome: Literal["passed", "failed", "blocked", "not applicable"]
    check: str
    """The name of the check, and in a line what it expects."""
    reason: str = ""
    exchange: Exchange | None = None


class KnownGap(NamedTuple):
    """A requirement that a release of a service is known not to meet."""

    service_name: str
    service_version: str
    requirement: str
    reason: str


class Judged(NamedTuple):
    """A requirement with its verdict, and why."""

    requirement: Requirement
    verdict: Verdict
    reason: str
    findings: tuple[Finding, ...]
    """Where the verdict is no `passed`: what led to it, each reason once."""


def judge(
    requirements: Iterable[Requirement], findings: Iterable[Finding], gaps: Iterable[KnownGap] = ()
) -> list[Judged]:
    """Return the verdicts, in the order of the requirements."""
    known = {gap.requirement: gap.reason for gap in gaps}
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.requirement, []).append(finding)
    return [_judge_one(r, found.get(r.id, []), known.get(r.id)) for r in requirements]


def _judge_one(requirement: Requirement, findings: Sequence[Finding], gap: str | None) -> Judged:
    by_outcome = {
        finding.outcome: _each_once(f for f in findings if f.outcome == finding.outcome) for finding in findings
    }
    if failed := by_outcome.get("failed"):
        verdict = Verdict.FAILED if gap is None else Verdict.KNOWN_GAP
        return Judged(requirement, verdict, gap or failed[0].reason, failed)
    if "passed" in by_outcome:
        if gap is None:
            return Judged(requirement, Verdict.PASSED, "", ())
        return Judged(requirement, Verdict.STALE_GAP, f"met now, but known as a gap: {gap}", ())
    if blocked := by_outcome.get("blocked"):
        return Judged(requirement, Verdict.BLOCKED, blocked[0].reason, blocked)
    return Judged(requirement, Verdict.NOT_APPLICABLE, _why_not(requirement, findings), ())


def _why_not(requirement: Requirement, findings: Sequence[Finding]) -> str:
    if findings:
        return findings[0].reason
    if requirement.shown_by:
        return f"cannot be seen from outside; {requirement.shown_by} shows it"
    return "no check of it ran"


def _each_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple({(finding.check.partition("[")[0], finding.reason): finding for finding in findings}.values())
