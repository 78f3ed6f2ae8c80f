"""How many instances a profile should have, and how soon another one may be started."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.exec_spec import RuntimeExec
from arp_daemon.pool_policy import MAX_CRASHES, Demand, Health, backoff_s, is_replaced, wanted

_counts = st.integers(0, 20)


@given(_counts, st.integers(1, 20), _counts, _counts, _counts, _counts, _counts, st.integers(1, 5), _counts)
def test_the_pool_never_wants_less_than_min_nor_more_than_max(
    least: int, most: int, warm: int, asked_for: int, busy: int, queued: int, free: int, each: int, leaving: int
) -> None:
    """Whatever the demand; and those that are on their way out count too."""
    spec = RuntimeExec(min=min(least, most), max=most, warm=warm)
    count = wanted(spec, Demand(asked_for, busy, queued, free), live=busy, slots_each=each, room=most - leaving)
    assert min(spec.min, most - leaving) <= count <= most - leaving


@pytest.mark.parametrize(
    ("spec", "demand", "live", "count"),
    [
        (RuntimeExec(max=5), Demand(0, 0, 0, 0), 0, 0),
        (RuntimeExec(max=5), Demand(0, 0, 1, 0), 0, 1),
        (RuntimeExec(max=5), Demand(0, 0, 9, 0), 0, 3),
        (RuntimeExec(max=5), Demand(0, 2, 4, 4), 2, 0),
        (RuntimeExec(max=5), Demand(0, 2, 5, 4), 2, 3),
        (RuntimeExec(max=5), Demand(2, 0, 0, 8), 1, 2),
        (RuntimeExec(max=5, warm=1), Demand(0, 2, 0, 0), 2, 3),
        (RuntimeExec(max=5, min=2), Demand(0, 0, 0, 0, given_up=1), 0, 1),
    ],
)
def test_instances_are_wanted_for_what_waits_and_for_who_asked(
    spec: RuntimeExec, demand: Demand, live: int, count: int
) -> None:
    """With four slots each."""
    assert wanted(spec, demand, live, slots_each=4, room=spec.max) == count


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    """0.5 s, 1 s, 2 s, ... 30 s, of which up to half is left to chance."""
    assert [backoff_s(streak, 1.0) for streak in (1, 2, 3, 7, 50)] == [0.5, 1.0, 2.0, 30.0, 30.0]
    assert backoff_s(1, 0.0) == 0.25


def test_five_crashes_in_a_minute_break_a_profile_and_four_do_not() -> None:
    """Those that are longer ago do not count."""
    health = Health()
    for number in range(MAX_CRASHES - 1):
        health.crashed(number, 0.0, "why", 0.5)
    assert health.broken is None
    health.crashed(61.5, 0.0, "why", 0.5)
    assert health.broken is None
    health.crashed(61.6, 0.0, "why", 0.5)
    health.crashed(61.7, 0.0, "why", 0.5)
    assert health.broken == "why"


def test_an_instance_that_proved_itself_starts_the_count_anew() -> None:
    """Healthy for a minute: its crash is a first one again."""
    health = Health()
    for _ in range(3):
        health.crashed(0.0, 0.0, "why", 1.0)
    health.crashed(100.0, 60.0, "why", 1.0)
    assert (health.streak, health.not_before) == (1, 100.5)


@pytest.mark.parametrize(
    ("restart", "exit_code", "replaced"),
    [
        ("always", 0, True),
        ("always", 1, True),
        ("unexpected", 0, False),
        ("unexpected", 1, True),
        ("unexpected", None, True),
        ("never", 1, False),
        ("never", None, False),
    ],
)
def test_the_restart_policy_says_what_is_replaced(restart: str, exit_code: int | None, replaced: bool) -> None:
    """None is a signal, or a hang."""
    assert is_replaced(restart, exit_code) is replaced
