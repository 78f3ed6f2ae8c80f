"""Durations and moments, as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from arp_cli.times import format_age, format_duration, format_elapsed, format_moment


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3, "0 ms"),
        (0.0091, "9 ms"),
        (1.234, "1.2 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (63, "1 min 3 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (266400, "3 d 2 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, expected: str) -> None:
    """Long ones lose their small parts; clocks that differ make none negative."""
    assert format_duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, "0 s ago"), (3.4, "3 s ago"), (119, "1 min ago"), (7300, "2 h ago"), (200000, "2 d ago")],
)
def test_an_age_has_one_unit(seconds: float, expected: str) -> None:
    """How long ago, roughly."""
    assert format_age(seconds) == expected


def test_a_duration_that_goes_on_is_told_in_whole_seconds() -> None:
    """It does not flicker."""
    assert [format_elapsed(s) for s in (0.2, 7.6, 61)] == ["0 s", "8 s", "1 min 1 s"]


def test_a_moment_for_programs_is_utc_to_the_millisecond() -> None:
    """RFC 3339 with Z."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
    assert format_moment(moment) == "2026-01-02T03:04:05.678Z"
    assert format_moment(moment.astimezone(timezone(timedelta(0)))).endswith("Z")
