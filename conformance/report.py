"""What is told of a service: the verdicts, and who was judged, how deep. The reports are forms of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from conformance.judgement import Judged, Verdict
from conformance.requirements import ORIGINS

if TYPE_CHECKING:
    from datetime import datetime


class Report(NamedTuple):
    """A judged service."""

    kind: str
    url: str
    service_name: str
    service_version: str
    tier: str
    started_at: datetime
    duration_s: float
    judged: tuple[Judged, ...]

    def of_origin(self, origin: str) -> list[Judged]:
        """The verdicts on the requirements of the standard, or on ours."""
        return [judged for judged in self.judged if judged.requirement.origin == origin]

    def counts(self) -> dict[str, dict[Verdict, int]]:
        """How many requirements of each origin got each verdict."""
        counted = {origin: Counter(judged.verdict for judged in self.of_origin(origin)) for origin in ORIGINS}
        return {origin: {verdict: counter[verdict] for verdict in Verdict} for origin, counter in counted.items()}

    def is_met(self, origins: tuple[str, ...], *, accept_known_gaps: bool) -> bool:
        """Whether nothing that these origins require is unmet, unknown, or met although it is known as a gap."""
        accepted = {Verdict.PASSED, Verdict.NOT_APPLICABLE} | ({Verdict.KNOWN_GAP} if accept_known_gaps else set())
        return all(judged.verdict in accepted for origin in origins for judged in self.of_origin(origin))
