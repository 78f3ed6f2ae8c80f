"""Thousands of schedules of submit, claim, crash, restart, cancel and late answers, each from a seed.

A failure names its seed. To play that one again: ARP_SIMULATION_SEEDS=SEED python -m pytest tests/daemon/simulation
"""

from __future__ import annotations

import logging
import os
import random
from typing import TYPE_CHECKING

import pytest
import structlog

import arp_daemon.link
from daemon.simulation.runtimes import SimClient, SimRelay
from daemon.simulation.world import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEDULES = int(os.environ.get("ARP_SIMULATION_SCHEDULES", "400"))
_VARIABLE = "ARP_SIMULATION_SEEDS"


@pytest.fixture(autouse=True)
def _scripted_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Links speak to the scripted instances, and nobody reads what the daemon logs."""
    monkeypatch.setattr(arp_daemon.link, "Relay", SimRelay)
    monkeypatch.setattr(arp_daemon.link, "runtime_client", SimClient)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def _seeds() -> list[int]:
    given = os.environ.get(_VARIABLE)
    if given:
        return [int(seed) for seed in given.split(",")]
    first = random.SystemRandom().randrange(10**9)
    return list(range(first, first + _SCHEDULES))


def test_no_schedule_breaks_a_promise() -> None:
    """Every accepted run ends exactly once, is not executed twice, and its log tells so, in any order of things."""
    for seed in _seeds():
        try:
            simulate(seed)
        except Exception as exc:
            exc.add_note(f"Play it again: {_VARIABLE}={seed} python -m pytest tests/daemon/simulation")
            raise
