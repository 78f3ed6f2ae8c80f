"""Wake-up calls: for everybody who waits for the next change, or for what happens once."""

from __future__ import annotations

import asyncio

# So many are woken each turn of the event loop: what they do next, most often one send, takes half a millisecond
# together (see `turns`).
_A_TURN = 16


class Changed:
    """`notify` wakes all who wait now; who waits later waits for the next one.

    Check the state, then `wait()`, without an await in between: then no change is missed.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}

    def notify(self) -> None:
        """Wake all waiters, some each turn of the loop. Costs nothing when there is none."""
        if self._waiting:
            waiting, self._waiting = list(self._waiting), {}
            _wake(waiting)

    async def wait(self) -> None:
        """Return at the next `notify`."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting[woken] = None
        try:
            await woken
        finally:
            self._waiting.pop(woken, None)


class Happened:
    """Something that happens once: `set` says that it has, and who waits, then or later, goes on.

    Like an event of anyio's, but it costs next to nothing where nobody waits, as is so for most runs.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._changed = Changed()

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """It has happened."""
        self._is_set = True
        self._changed.notify()

    async def wait(self) -> None:
        """Return when it has happened."""
        if not self._is_set:
            await self._changed.wait()


def _wake(waiting: list[asyncio.Future[None]], at: int = 0) -> None:
    end = at + _A_TURN
    if end < len(waiting):
        asyncio.get_running_loop().call_soon(_wake, waiting, end)
    for woken in waiting[at:end]:
        if not woken.done():  # else its task was cancelled
            woken.set_result(None)
