"""What is tried again and again beside everything else, so that whoever wants to know how it is need not wait."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher import LauncherError
from arp_service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# A try that has not come back after so long is slow, whatever becomes of it.
_SLOW_S = 2.0
# The loop's lag is measured this often, and the worst of so many measurements is shown: of the last ten seconds.
_LAG_EVERY_S, _LAGS_KEPT = 0.1, 100


class Watched:
    """One thing that is tried for ever; remembers how the last try went, and since when the present one lasts."""

    def __init__(self, attempt: Callable[[], Awaitable[None]], every_s: float) -> None:
        self._attempt = attempt
        self._every_s = every_s
        self._began_at: float | None = None
        self.error: str | None = None
        """Why the last try failed; None when it succeeded, and before the first."""
        self.took_s = 0.0
        """How long the last try took."""

    async def run(self) -> None:
        """Try for ever. One task."""
        while True:
            self._began_at = anyio.current_time()
            try:
                await self._attempt()
                self.error = None
            except (ServiceError, LauncherError, OSError) as exc:
                self.error = str(exc)
            self.took_s = anyio.current_time() - self._began_at
            self._began_at = None
            await anyio.sleep(self._every_s)

    @property
    def slow_for_s(self) -> float | None:
        """How long the present try lasts, where that is too long."""
        lasts = 0.0 if self._began_at is None else anyio.current_time() - self._began_at
        return lasts if lasts > _SLOW_S else None


class LoopLag:
    """How late the event loop wakes a task: what holds it up holds up every request."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque([0.0], maxlen=_LAGS_KEPT)

    async def run(self) -> None:
        """Measure for ever. One task."""
        while True:
            due = anyio.current_time() + _LAG_EVERY_S
            await anyio.sleep_until(due)
            self._lags.append(anyio.current_time() - due)

    @property
    def worst_s(self) -> float:
        """The worst lag of the last seconds."""
        return max(self._lags)
