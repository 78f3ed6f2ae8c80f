"""A stop has three steps, and everybody in the process waits for the same events."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from arp_service.errors import StoppingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A stop that was hurried and still has not ended after so long (a disk that hangs) is ended by the kernel.
_LAST_RESORT_S = 10
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """How a process ends: first no new work is taken, then streams end and the server closes."""

    def __init__(self) -> None:
        self.requested = anyio.Event()
        """Set by the first signal: take no new work, finish what runs."""
        self.hurried = anyio.Event()
        """Set by the second signal: nothing is waited for any more; give up what runs."""
        self.closing = anyio.Event()
        """Set when work has finished or its grace is over: end streams now."""

    def check(self) -> None:
        """Raise `StoppingError` when no new work may be taken."""
        if self.requested.is_set():
            raise StoppingError("The service is shutting down; send this again in a moment.", retry_after_s=2)

    @asynccontextmanager
    async def grace(self, seconds: float) -> AsyncIterator[None]:
        """A block that is left after so many seconds, and at once when the stop is hurried."""
        async with anyio.create_task_group() as tasks:
            tasks.cancel_scope.deadline = anyio.current_time() + seconds
            tasks.start_soon(self._leave_when_hurried, tasks.cancel_scope)
            yield
            tasks.cancel_scope.cancel()

    async def _leave_when_hurried(self, scope: anyio.CancelScope) -> None:
        await self.hurried.wait()
        scope.cancel()


@asynccontextmanager
async def stop_on_signals() -> AsyncIterator[Stop]:
    """A stop that SIGTERM or SIGINT requests, and another one hurries.

    The outermost block of a service: signals are watched while it starts and while it closes as well. One that
    comes during the start lets it finish first.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()
    for signum in _SIGNALS:
        loop.add_signal_handler(signum, _on_signal, stop)
    try:
        yield stop
    finally:
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)


def _on_signal(stop: Stop) -> None:
    if not stop.requested.is_set():
        stop.requested.set()
    elif not stop.hurried.is_set():
        stop.hurried.set()
        signal.alarm(_LAST_RESORT_S)
