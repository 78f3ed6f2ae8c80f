"""What watchers are to see: events in bursts. Told alike to the floor and to our agent."""

from __future__ import annotations

import msgspec


class FanOut(msgspec.Struct, frozen=True):
    """So many bursts of so many events, each after a pause."""

    bursts: int
    events: int
    pause_s: float
