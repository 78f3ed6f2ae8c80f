"""Ending a run from outside: whether it is to end, why, and when at the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from arp_runtime.errors import RunHaltedError


class Halt:
    """Why one run is to end before its agent has ended it. The first reason counts; each of `on_halt` is called then.

    Read from any thread; changed in the event loop's alone.
    """

    __slots__ = ("_on_halt", "deadline", "reason")

    def __init__(self, *on_halt: Callable[[], None]) -> None:
        self._on_halt = on_halt
        self.reason: RunHaltedError | None = None
        self.deadline: datetime | None = None
        """When the run's `timeout_ms` is over; known once it runs."""

    def now(self, reason: RunHaltedError) -> None:
        """End the run for this reason, unless there is one already."""
        if self.reason is None:
            self.reason = reason
            for call in self._on_halt:
                call()
