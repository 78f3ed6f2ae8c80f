"""What one run takes, for a client that waits for it: nothing else is at work."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.bench import new_prefix
from benchmarks.loading import Outcome, perform
from benchmarks.programs import GOAL, whole_field
from benchmarks.verdicts import percentile

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.programs import Program

_ROW = "one-run"
_WARM_UP = 10
_MS = 1000


class _Subject(NamedTuple):
    percentiles: dict[str, int]
    """Series, and which percentile each is."""
    program: Program
    runs: int
    ends: str


async def measure(bench: Bench) -> None:
    """All programs are started once, and take turns."""
    effort = bench.effort
    async with whole_field(bench.folder) as field:
        subjects = [
            _Subject({"floor": 50}, field.floor, effort.single_runs, "answer"),
            _Subject({"p50": 50, "p99": 99}, field.daemon, effort.single_runs, "events"),
            _Subject({"peer": 50}, field.peer_daemon, effort.peer_single_runs, "answer"),
        ]
        for subject in subjects:
            await _run_each(subject, _WARM_UP)
        for _ in range(effort.repetitions):
            for subject in subjects:
                outcome = await _run_each(subject, subject.runs)
                for series, percent in subject.percentiles.items():
                    bench.record(_ROW, series, percentile(outcome.figures["took"], percent) * _MS)
                bench.record_cpu(_ROW, outcome, subject.runs, min(subject.percentiles))


async def _run_each(subject: _Subject, count: int) -> Outcome:
    return await perform(
        subject.program,
        "one_by_one",
        prefix=new_prefix(),
        count=count,
        parts={"input": {"goal": GOAL}},
        ends=subject.ends,
    )
