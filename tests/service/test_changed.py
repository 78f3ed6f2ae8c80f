"""Waking everybody who waits for a change."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from arp_service.changed import Changed


async def test_all_who_wait_are_woken_once_and_a_few_each_turn() -> None:
    """A thousand who have something to do do not hold the loop for all of it; who waits again waits for the next."""
    changed, woken = Changed(), 0

    async def wait() -> None:
        nonlocal woken
        await changed.wait()
        woken += 1
        await changed.wait()
        woken += 1000

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        changed.notify()
        assert woken == 0
        for _ in range(3):
            await checkpoint()
        assert 0 < woken < 100
        await anyio.wait_all_tasks_blocked()
        assert woken == 100
        changed.notify()
    assert woken == 100 + 100 * 1000


async def test_one_who_does_not_wait_any_longer_is_nobody_to_wake() -> None:
    """Cancelled before the change, or after it and before its turn."""
    changed = Changed()
    woken: list[int] = []

    async def wait(name: int) -> None:
        with scopes[name]:
            await changed.wait()
            woken.append(name)

    scopes = [anyio.CancelScope() for _ in range(50)]
    async with anyio.create_task_group() as tasks:
        for name in range(50):
            tasks.start_soon(wait, name)
        await anyio.wait_all_tasks_blocked()
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        changed.notify()
        scopes[49].cancel()
    assert woken == list(range(1, 49))
