"""How many runs execute, how many wait, and what is beyond that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_model import RunState
from arp_runtime.agents.kinds import Workplace
from arp_runtime.errors import OverloadedError
from arp_runtime.runs.turns import Capacity, concurrent_runs
from runtime.scene import ended, managed, request

if TYPE_CHECKING:
    from arp_runtime import AgentContext, SyncAgentContext
    from arp_runtime.runs.manager import RunManager


class Shop:
    """An agent whose runs begin in some order, and end when they are told to."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.leave = anyio.Event()

    async def run(self, context: AgentContext) -> None:
        self.began.append(context.run_id)
        await self.leave.wait()


def _create(runs: RunManager, *run_ids: str) -> None:
    for run_id in run_ids:
        runs.create(request(run_id=run_id))


async def test_runs_over_the_capacity_wait_and_come_in_their_order() -> None:
    """They are queued until one ends."""
    shop = Shop()
    async with managed(shop, capacity=Capacity(2, 10)) as runs:
        _create(runs, "a", "b", "c", "d")
        await anyio.wait_all_tasks_blocked()
        assert shop.began == ["a", "b"]
        assert (runs.get("c").state, runs.waiting, runs.under_way) == (RunState.QUEUED, 2, 4)
        await runs.cancel("a")
        await anyio.wait_all_tasks_blocked()
        assert shop.began == ["a", "b", "c"]
        shop.leave.set()
        assert (await ended(runs, "d")).result.ok
        assert runs.waiting == 0


async def test_more_than_can_wait_is_refused() -> None:
    """503 overloaded, retryable, with Retry-After; nothing is kept of it, and a known run is still given back."""
    shop = Shop()
    async with managed(shop, capacity=Capacity(1, 1)) as runs:
        _create(runs, "a", "b")
        with pytest.raises(OverloadedError) as caught:
            _create(runs, "c")
        assert (caught.value.status, caught.value.retryable, caught.value.code) == (503, True, "overloaded")
        assert int(caught.value.headers["Retry-After"]) >= 1
        _create(runs, "a", "b")
        shop.leave.set()
        await ended(runs, "b")
        _create(runs, "c")
        assert (await ended(runs, "c")).result.ok


async def test_a_waiting_run_that_is_canceled_makes_room() -> None:
    """It ends at once, and its agent is never called."""
    shop = Shop()
    async with managed(shop, capacity=Capacity(1, 1)) as runs:
        _create(runs, "a", "b")
        await runs.cancel("b")
        assert (await ended(runs, "b")).status.state is RunState.CANCELED
        _create(runs, "c")
        shop.leave.set()
        await ended(runs, "c")
    assert shop.began == ["a", "c"]


async def test_with_no_room_to_wait_a_free_runtime_still_takes_runs() -> None:
    """`--max-waiting-runs 0` means: take what can execute now."""
    shop = Shop()
    async with managed(shop, capacity=Capacity(1, 0)) as runs:
        _create(runs, "a")
        with pytest.raises(OverloadedError):
            _create(runs, "b")
        shop.leave.set()
        assert (await ended(runs, "a")).result.ok
        await anyio.wait_all_tasks_blocked()
        _create(runs, "b")


async def test_a_stop_interrupts_what_waits() -> None:
    """It is told as failed with code interrupted, and never begins."""
    shop = Shop()
    async with managed(shop, capacity=Capacity(1, 10)) as runs:
        _create(runs, "a", "b")
        await anyio.wait_all_tasks_blocked()
        await runs.drain(0)
        assert [(await ended(runs, run_id)).code for run_id in ("a", "b")] == ["interrupted"] * 2
    assert shop.began == ["a"]


async def test_five_thousand_runs_wait_in_one_process() -> None:
    """Each waits for all the others, so all of them are under way at once."""
    here = 0
    everybody = anyio.Event()

    async def agent(_context: AgentContext) -> None:
        nonlocal here
        here += 1
        if here == 5000:
            everybody.set()
        await everybody.wait()

    async with managed(agent, capacity=Capacity(5000, 0)) as runs:
        made = [runs.create(request()) for _ in range(5000)]
        for run in made:
            await run.log.wait_ended()
        assert {run.state for run in made} == {RunState.SUCCEEDED}


async def test_threads_get_as_many_runs_as_there_are_processors() -> None:
    """By default; async agents get a hundred."""
    assert concurrent_runs(Workplace.LOOP) == 100
    assert concurrent_runs(Workplace.THREAD) == concurrent_runs(Workplace.PROCESS) == os.cpu_count()

    def agent(_context: SyncAgentContext) -> Any: ...

    async with managed(agent) as runs:
        _create(runs, *(f"r{number}" for number in range(20)))
        assert runs.waiting == 20 - min(20, os.cpu_count() or 1)
        await ended(runs, "r19")
