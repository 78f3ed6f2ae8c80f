"""How many runs a second: through the daemon, and on a runtime alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.bench import new_prefix
from benchmarks.loading import Outcome, perform
from benchmarks.programs import (
    GOAL,
    daemon_program,
    floor,
    our_daemon,
    our_runtime,
    peer_daemon,
    peer_runtime,
    register,
)

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.programs import Program

# Shares of what is measured that goes before it, so that everything is imported, connected and warm.
_WARM_UP = 10


class _Subject(NamedTuple):
    row: str
    series: str
    program: Program
    runs: int
    ends: str


async def measure(bench: Bench) -> None:
    """All of them are started once, and take turns."""
    effort = bench.effort
    async with AsyncExitStack() as stack:
        bottom = await stack.enter_async_context(floor())
        peer = await stack.enter_async_context(peer_runtime(bench.folder))
        both = await register(await stack.enter_async_context(peer_daemon(bench.folder)), peer)
        runtime = await stack.enter_async_context(our_runtime())
        daemon = daemon_program(await stack.enter_async_context(our_daemon(bench.folder / "data")))
        subjects = [
            _Subject("daemon-runs", "floor", bottom, effort.floor_requests, "answer"),
            _Subject("daemon-runs", "ours", daemon, effort.daemon_runs, "result"),
            _Subject("daemon-runs", "peer", both, effort.peer_runs, "answer"),
            _Subject("runtime-runs", "floor", bottom, effort.floor_requests, "answer"),
            _Subject("runtime-runs", "ours", runtime, effort.runtime_runs, "result"),
            _Subject("runtime-runs", "peer", peer, effort.peer_runs, "answer"),
        ]
        for subject in subjects:
            await _submit(bench, subject, subject.runs // _WARM_UP)
        for _ in range(effort.repetitions):
            for subject in subjects:
                await _measure(bench, subject)


async def _measure(bench: Bench, subject: _Subject) -> None:
    outcome = await _submit(bench, subject, subject.runs)
    bench.record(subject.row, subject.series, subject.runs / outcome.figures["seconds"])
    bench.record_cpu(subject.row, outcome, subject.runs, f" ({subject.series})")


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
