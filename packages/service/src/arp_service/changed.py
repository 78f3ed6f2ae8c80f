"""A wake-up call for everybody who waits for the next change."""

from __future__ import annotations

import anyio


class Changed:
    """`notify` wakes all who wait now; who waits later waits for the next one.

    Check the state, then `wait()`, without an await in between: then no change is missed.
    """

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def notify(self) -> None:
        """Wake all waiters. Costs nothing when there is none."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Return at the next `notify`."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
