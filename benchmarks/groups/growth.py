"""Whether the daemon gets slower, or larger, with what it has stored."""

from __future__ import annotations

import random
import shutil
import sys
from contextlib import AsyncExitStack
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import psutil

from benchmarks.bench import new_prefix
from benchmarks.loading import Outcome, perform
from benchmarks.processes import resident_mb, unique_mb
from benchmarks.programs import GOAL, daemon_program, our_daemon
from benchmarks.store_filling import run_id
from support.daemon import RunningDaemon, running_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench

_STORE = "daemon.sqlite3"
_PAGE = 100
_MS = 1000
_SEED = 20


async def measure(bench: Bench) -> None:
    """One data folder a size; their daemons all run, and take turns."""
    effort = bench.effort
    sizes = {"none": 0, "some": effort.stored_some, "many": effort.stored_many}
    folders = {series: bench.folder / series for series in sizes}
    await _fill(bench, folders)
    for _ in range(effort.repetitions):
        for series, folder in folders.items():
            await _start(bench, series, folder)
    async with AsyncExitStack() as stack:
        daemons = {name: await stack.enter_async_context(our_daemon(folder)) for name, folder in folders.items()}
        for running in daemons.values():
            await _submit(running, effort.connections, effort.growth_runs)
        for _ in range(effort.growth_rounds):
            for series, running in daemons.items():
                await _measure(bench, series, running, sizes[series])


async def _fill(bench: Bench, folders: dict[str, Path]) -> None:
    some, many = bench.effort.stored_some, bench.effort.stored_many
    bench.say(f"filling a store with {some:,} runs")
    folders["some"].mkdir()
    await _fill_one(folders["some"], 0, some)
    await anyio.to_thread.run_sync(shutil.copytree, folders["some"], folders["many"])
    bench.say(f"filling a store with {many:,} runs")
    await _fill_one(folders["many"], some, many)


async def _fill_one(folder: Path, first: int, behind: int) -> None:
    command = [sys.executable, "-m", "benchmarks.store_filling", str(folder / _STORE), str(first), str(behind)]
    await anyio.run_process(command, stderr=None)


async def _start(bench: Bench, series: str, folder: Path) -> None:
    """How long a start takes, and what memory it comes to."""
    began = perf_counter()
    async with running_daemon(folder) as running:
        await running.get("/v1/health")
        bench.record("growth-start", series, perf_counter() - began)
        if series == "some":
            await running.result(await running.submit(GOAL))
            await running.get(f"/v1/runs?page_size={_PAGE}")
            process = psutil.Process(running.process.pid)
            bench.record("daemon-memory", "ours", unique_mb(process))
            bench.record("daemon-memory", "rss", resident_mb(process))


async def _measure(bench: Bench, series: str, running: RunningDaemon, stored: int) -> None:
    effort, program = bench.effort, daemon_program(running)
    prefix, outcome = await _submit(running, effort.connections, effort.growth_runs)
    bench.record("growth-submit", series, effort.growth_runs / outcome.figures["accept_seconds"])
    bench.record_cpu("growth-submit", outcome, effort.growth_runs, series)
    page = f"/v1/runs?page_size={_PAGE}"
    pages = await perform(program, "read", paths=[page] * effort.growth_reads)
    bench.record("growth-list", series, median(pages.figures["took"]) * _MS)
    bench.record_cpu("growth-list", pages, effort.growth_reads, series)
    any_of = [run_id(n) for n in range(stored)] or [f"{prefix}-{n}" for n in range(effort.growth_runs)]
    chosen = random.Random(_SEED).choices(any_of, k=effort.growth_reads)
    statuses = await perform(program, "read", paths=[f"/v1/runs/{each}" for each in chosen])
    bench.record("growth-status", series, median(statuses.figures["took"]) * _MS)
    bench.record_cpu("growth-status", statuses, effort.growth_reads, series)


async def _submit(running: RunningDaemon, connections: int, count: int) -> tuple[str, Outcome]:
    prefix = new_prefix()
    parts = {"input": {"goal": GOAL}}
    outcome = await perform(
        daemon_program(running),
        "submit",
        connections=connections,
        prefix=prefix,
        count=count,
        parts=parts,
        ends="result",
    )
    return prefix, outcome
