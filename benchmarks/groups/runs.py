"""How many runs a second: through the daemon, and on a runtime alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.bench import new_prefix
from benchmarks.loading import Outcome, perform
from benchmarks.programs import GOAL, whole_field

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.programs import Field, Program

# Of what is measured, so much goes before it: everything is imported, connected and warm then.
_WARM_UP = 10


class _Subject(NamedTuple):
    row: str
    series: str
    program: Program
    runs: int
    ends: str


async def measure(bench: Bench) -> None:
    """All programs are started once, and take turns."""
    async with whole_field(bench.folder) as field:
        subjects = _subjects(bench, field)
        for subject in subjects:
            await _submit(bench, subject, subject.runs // _WARM_UP)
        for _ in range(bench.effort.repetitions):
            for subject in subjects:
                outcome = await _submit(bench, subject, subject.runs)
                bench.record(subject.row, subject.series, subject.runs / outcome.figures["seconds"])
                bench.record_cpu(subject.row, outcome, subject.runs, subject.series)


def _subjects(bench: Bench, field: Field) -> list[_Subject]:
    effort = bench.effort
    return [
        _Subject("daemon-runs", "floor", field.floor, effort.floor_requests, "answer"),
        _Subject("daemon-runs", "ours", field.daemon, effort.daemon_runs, "result"),
        _Subject("daemon-runs", "peer", field.peer_daemon, effort.peer_runs, "answer"),
        _Subject("runtime-runs", "floor", field.floor, effort.floor_requests, "answer"),
        _Subject("runtime-runs", "ours", field.runtime, effort.runtime_runs, "result"),
        _Subject("runtime-runs", "peer", field.peer_runtime, effort.peer_runs, "answer"),
    ]


async def _submit(bench: Bench, subject: _Subject, count: int) -> Outcome:
    return await perform(
        subject.program,
        "submit",
        connections=bench.effort.connections,
        prefix=new_prefix(),
        count=max(count, bench.effort.connections),
        parts={"input": {"goal": GOAL}},
        ends=subject.ends,
    )
