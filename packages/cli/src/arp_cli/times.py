"""Durations and moments, as people read them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_MINUTE = 60


def format_duration(seconds: float) -> str:
    """Two units at most: `9 ms`, `1.2 s`, `2 min 3 s`, `3 d 4 h`. Negative ones (clocks differ) count as none."""
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for (unit, size), (next_unit, next_size) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {unit} {rest} {next_unit}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def format_elapsed(seconds: float) -> str:
    """A duration that goes on, in whole seconds, so that it does not flicker."""
    return f"{seconds:.0f} s" if seconds < _MINUTE else format_duration(seconds)


def format_age(seconds: float) -> str:
    """How long ago something was, in one unit: `3 s ago`, `2 d ago`."""
    whole = max(round(seconds), 0)
    unit, size = next(((unit, size) for unit, size in _UNITS if whole >= size), ("s", 1))
    return f"{whole // size} {unit} ago"


def format_moment(moment: datetime) -> str:
    """A moment for programs: RFC 3339 in UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
