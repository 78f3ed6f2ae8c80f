"""Events of one run, as one watcher sees them: how many a second, and how soon the first."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks.bench import new_prefix
from benchmarks.loading import LoadError, Outcome, perform
from benchmarks.programs import AGENT, HERE, daemon_program, our_daemon, our_runtime

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.programs import Program

_MS = 1000


async def measure(bench: Bench) -> None:
    """The runtime directly and the daemon take turns."""
    effort = bench.effort
    async with (
        our_runtime("--agent", AGENT) as runtime,
        our_daemon(bench.folder / "data", agent=AGENT, working_directory=str(HERE)) as running,
    ):
        subjects = {"direct": runtime, "daemon": daemon_program(running)}
        for program in subjects.values():
            await _follow(program, 1, effort.tokens // 10)
        for _ in range(effort.repetitions):
            for series, program in subjects.items():
                outcome = await _follow(program, 1, effort.tokens)
                events = outcome.figures["events"]
                bench.record("events", series, events / sum(outcome.figures["took"]))
                bench.record_cpu("events", outcome, events, series)
            firsts = {
                series: median((await _follow(program, effort.first_tokens, 1)).figures["first_tokens"]) * _MS
                for series, program in subjects.items()
            }
            for series, first in firsts.items():
                bench.record("first-token", series, first)
            bench.record("first-token", "lag", firsts["daemon"] - firsts["direct"])


async def _follow(program: Program, runs: int, tokens: int) -> Outcome:
    parts = {"input": {"goal": "say", "data": {"tokens": tokens}}}
    outcome = await perform(program, "follow", prefix=new_prefix(), count=runs, parts=parts)
    if outcome.figures["complete"] != runs or outcome.figures["events"] < runs * tokens:
        raise LoadError(f"events are missing: {outcome.figures}")
    return outcome
