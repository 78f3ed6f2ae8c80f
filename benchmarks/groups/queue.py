"""Whether a run takes longer when many wait behind it."""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import anyio

from benchmarks.bench import new_prefix
from benchmarks.loading import Outcome, perform
from benchmarks.processes import cpu_seconds
from benchmarks.programs import GOAL, daemon_program, our_daemon

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from support.daemon import RunningDaemon

_ROW = "queue"
_CONCURRENCY = 8
_SHORT = 10
_LOOK_EVERY_S = 0.02
_TIMEOUT_S = 300
_PAGE = 1000
_MS = 1000


async def measure(bench: Bench) -> None:
    """A long queue, and as many short ones as make a median."""
    effort = bench.effort
    async with our_daemon(bench.folder / "data", concurrency=_CONCURRENCY) as running:
        await _empty_a_queue(running, _SHORT)
        for _ in range(effort.repetitions):
            short = [await _empty_a_queue(running, _SHORT) for _ in range(effort.short_queues)]
            bench.record(_ROW, "short", median(took for took, _ in short))
            long, outcome = await _empty_a_queue(running, effort.queued)
            bench.record(_ROW, "long", long)
            bench.record_cpu(_ROW, outcome, effort.queued, "long")


async def _empty_a_queue(running: RunningDaemon, count: int) -> tuple[float, Outcome]:
    """Hold the instance, queue runs, let go; milliseconds a run from the first start to the last end."""
    program, prefix = daemon_program(running), new_prefix()
    held = {"input": {"goal": "wait 3600 s"}, "metadata": {"labels": {"queue": "held"}}}
    runs = {"input": {"goal": GOAL}, "metadata": {"labels": {"queue": prefix}}}
    await perform(program, "batch", prefix=f"{prefix}-held", count=_CONCURRENCY, parts=held)
    await _until_count(running, "state=running&label=queue=held", _CONCURRENCY)
    await perform(program, "batch", prefix=prefix, count=count, parts=runs)
    parts = program.processes()
    before = cpu_seconds(parts)
    (await running.client.post("/v1/runs:cancel", json={"label": ["queue=held"]})).raise_for_status()
    await _until_count(running, "state=queued&state=running", 0)
    after = cpu_seconds(parts)
    statuses = await _list(running, f"label=queue={prefix}")
    assert {status["state"] for status in statuses} == {"succeeded"}
    assert len(statuses) == count
    start = min(_seconds(status["started_at"]) for status in statuses)
    end = max(_seconds(status["ended_at"]) for status in statuses)
    return (end - start) * _MS / count, Outcome({}, {name: after[name] - before[name] for name in parts})


async def _until_count(running: RunningDaemon, query: str, count: int) -> None:
    with anyio.fail_after(_TIMEOUT_S):
        while len((await running.get(f"/v1/runs?{query}&page_size={_CONCURRENCY}"))["runs"]) != count:  # noqa: ASYNC110
            await anyio.sleep(_LOOK_EVERY_S)


async def _list(running: RunningDaemon, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        page = await running.get(f"/v1/runs?{query}&page_size={_PAGE}{token}")
        found += page["runs"]
        next_token = page["pagination"].get("next_page_token")
        if next_token is None:
            return found
        token = f"&page_token={next_token}"


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
