"""The heap of deadlines."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from arp_daemon.deadlines import Deadlines


async def test_runs_are_due_in_the_order_of_their_deadlines() -> None:
    """However they were set, and whoever waits already."""
    deadlines = Deadlines()
    due: list[str] = []

    async def wait() -> None:
        while len(due) < 3:
            due.append(await deadlines.next_due())

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            for run_id, in_s in (("c", 0.03), ("a", 0.01), ("b", 0.02)):
                deadlines.set(run_id, in_s)
    assert due == ["a", "b", "c"]


async def test_a_run_that_has_ended_is_never_due() -> None:
    """Nor is one at a time that was replaced by another one."""
    deadlines = Deadlines()
    deadlines.set("ended", 0)
    deadlines.forget("ended")
    deadlines.set("moved", 0)
    deadlines.set("moved", 0.02)
    deadlines.set("other", 0.01)
    with anyio.fail_after(10):
        assert [await deadlines.next_due(), await deadlines.next_due()] == ["other", "moved"]


async def test_ended_runs_leave_the_heap() -> None:
    """Though their deadlines are far away, so that many short runs with long limits cost no memory."""
    deadlines = Deadlines()
    for number in range(10_000):
        deadlines.set(str(number), 3600)
        deadlines.forget(str(number))
    assert len(deadlines) < 100
