"""An event loop whose clock jumps to the next thing that is due: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from datetime import datetime, timedelta, timezone

_BEGAN_AT = datetime(2026, 1, 2, tzinfo=timezone.utc)


def virtual_now() -> datetime:
    """The time of day in a virtual time loop."""
    return _BEGAN_AT + timedelta(seconds=asyncio.get_running_loop().time())


class NothingWillHappenError(Exception):
    """Every task waits, and none of them for a time."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For tasks that wait for each other and for times, and for nothing outside."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingWillHappenError
        if timeout > 0:
            self._loop.jump(timeout)
        return []
