"""Many watchers of one run, beside a bare fan-out of the same events.

Programs are started anew for each repetition: memory that was used once is not given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import msgspec
from httpx import AsyncClient

from benchmarks.bench import new_prefix
from benchmarks.fan_out import FanOut
from benchmarks.loading import LoadError, perform
from benchmarks.processes import unique_mb
from benchmarks.programs import AGENT, HERE, daemon_program, floor, our_daemon
from support.waiting import until_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.bench import Bench
    from benchmarks.programs import Program
    from support.daemon import RunningDaemon

# All watchers have had what came before the next events come.
_PAUSE_S = 0.15
_BURST_PAUSE_S = 0.4
_KIB_A_MB = 1_000_000 / 1024


async def measure(bench: Bench) -> None:
    """First the bare fan-out, then the daemon; events one by one first, as memory is looked at then."""
    effort = bench.effort
    plans = {
        "watchers-one-by-one": FanOut(effort.single_events, 1, _PAUSE_S),
        "watchers-bursts": FanOut(effort.bursts, effort.burst_events, _BURST_PAUSE_S),
    }
    for repetition in range(effort.repetitions):
        for row, plan in plans.items():
            async with floor() as program:  # its log is of one fan-out
                await _watch_floor(bench, row, plan, program)
        folder = bench.folder / str(repetition)
        async with our_daemon(folder, agent=AGENT, working_directory=str(HERE)) as running:
            for row, plan in plans.items():
                await _watch_daemon(bench, row, plan, running, anyio.Path(folder / "gate"))


async def _watch_floor(bench: Bench, row: str, plan: FanOut, program: Program) -> None:
    async def begin() -> None:
        async with AsyncClient(base_url=program.url, trust_env=False) as client:
            (await client.post("/fan-out", content=msgspec.json.encode(plan))).raise_for_status()

    await _watch(bench, row, plan, program, "floor", "bare", "/fan-out", begin)


async def _watch_daemon(bench: Bench, row: str, plan: FanOut, running: RunningDaemon, gate: anyio.Path) -> None:
    await gate.unlink(missing_ok=True)
    data = {**msgspec.structs.asdict(plan), "gate": str(gate)}
    body = {"run_id": new_prefix(), "input": {"goal": "tell", "data": data}}
    (await running.client.post("/v1/runs", json=body)).raise_for_status()
    run = f"/v1/runs/{body['run_id']}"
    # The start of its instance is no part of what is measured.
    await until_answer(lambda: running.get(run), lambda status: status["state"] == "running")

    async def begin() -> None:
        await gate.touch()

    await _watch(bench, row, plan, daemon_program(running), "arp-daemon", "ours", f"{run}/events", begin)


async def _watch(
    bench: Bench,
    row: str,
    plan: FanOut,
    program: Program,
    server: str,
    series: str,
    path: str,
    begin: Callable[[], Awaitable[None]],
) -> None:
    [process] = program.processes()[server]
    watchers = bench.effort.watchers
    before = unique_mb(process)

    async def at_ready() -> None:
        if row == "watchers-one-by-one":
            bench.record("watcher-memory", series, (unique_mb(process) - before) * _KIB_A_MB / watchers)
        await begin()

    outcome = await perform(program, "watch", at_ready=at_ready, path=path, watchers=watchers)
    seen = outcome.figures["events"]
    if outcome.figures["complete"] != watchers or seen < watchers * plan.bursts * plan.events:
        raise LoadError(f"watchers have missed events: {outcome.figures}")
    # On a busy machine some of what was told one by one is sent together: what counts then is the sending.
    units = outcome.figures["pieces"] if plan.events == 1 else seen
    bench.record(row, series, outcome.cpu[server] * 1e6 / units)
    bench.record_cpu(row, outcome, units, series)
