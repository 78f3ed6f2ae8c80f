"""A stop has two steps, and everybody in the process waits for the same two events."""

from __future__ import annotations

import anyio

from arp_service.errors import StoppingError


class Stop:
    """How a process ends: first no new work is taken, then streams end and the server closes."""

    def __init__(self) -> None:
        self.requested = anyio.Event()
        """Set by a signal: take no new work, finish what runs."""
        self.closing = anyio.Event()
        """Set when work has finished or its grace is over: end streams now."""

    def check(self) -> None:
        """Raise `StoppingError` when no new work may be taken."""
        if self.requested.is_set():
            raise StoppingError("The service is shutting down; send this again in a moment.", retry_after_s=2)
