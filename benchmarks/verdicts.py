"""Medians, ratios, and whether an aim is met. Pure."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.rows import Aim


class Verdict(NamedTuple):
    """An aim, the value that it bounds, and whether it is within."""

    aim: Aim
    value: float
    met: bool


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many of a hundred do not exceed: the nearest rank."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def ratio(of: Sequence[float], against: Sequence[float]) -> float:
    """The median of what each repetition gives; each was measured beside the one that it is divided by."""
    pairs = zip(of, against, strict=True) if len(of) == len(against) else [(median(of), median(against))]
    return median(mine / yardstick if yardstick else math.inf for mine, yardstick in pairs)


def judge(aim: Aim, figures: Mapping[str, Sequence[float]]) -> Verdict | None:
    """Hold the figures of a row against one of its aims; None where a series has not been measured."""
    of, against = figures.get(aim.of), figures.get(aim.against) if aim.against else [1.0]
    if not of or not against:
        return None
    value = ratio(of, against) if aim.against else median(of)
    met = (aim.at_least is None or value >= aim.at_least) and (aim.at_most is None or value <= aim.at_most)
    return Verdict(aim, value, met)
