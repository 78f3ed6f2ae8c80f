"""When a launcher without a daemon gives up. Pure: the caller brings the clock."""

from __future__ import annotations

__all__ = ["Lease"]


class Lease:
    """Held while any daemon is connected; over when none was for `lease_s` seconds.

    A new lease is not held, so a launcher that no daemon ever reaches ends as well. Times are of a monotonic
    clock, in seconds.
    """

    def __init__(self, lease_s: float, now: float) -> None:
        self._lease_s = lease_s
        self._holders = 0
        self._released_at = now

    def hold(self) -> None:
        """Note that a daemon has connected."""
        self._holders += 1

    def release(self, now: float) -> None:
        """Note that a daemon has disconnected."""
        self._holders -= 1
        self._released_at = now

    def remaining_s(self, now: float) -> float:
        """Return how long the lease runs if nobody connects; 0.0 when it is over."""
        if self._holders:
            return self._lease_s
        return max(0.0, self._released_at + self._lease_s - now)
