"""Thousands of schedules of submit, claim, crash, restart, cancel and late answers, each from a seed.

`nox -s faults` plays more. A failure names its seed. To play that one again:
ARP_SIMULATION_SEEDS=SEED python -m pytest tests/daemon/simulation
"""

from __future__ import annotations

import logging
import os
import random
from typing import TYPE_CHECKING

import pytest
import structlog

import arp_daemon.intake
import arp_daemon.link
import arp_daemon.open_runs
import arp_daemon.questions
import arp_daemon.submission
from daemon.simulation.runtimes import SimClient, SimRelay
from daemon.simulation.virtual_time import virtual_now
from daemon.simulation.world import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEDULES = int(os.environ.get("ARP_SIMULATION_SCHEDULES", "2000"))
# Processes that test side by side share them.
_PARTS = 8
_VARIABLE = "ARP_SIMULATION_SEEDS"


@pytest.fixture(autouse=True)
def _scripted_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Links speak to the scripted instances, times and ids are the world's, and nobody reads what the daemon logs."""
    monkeypatch.setattr(arp_daemon.link, "Relay", SimRelay)
    monkeypatch.setattr(arp_daemon.link, "runtime_client", SimClient)
    for module in (arp_daemon.open_runs, arp_daemon.submission):
        monkeypatch.setattr(module, "new_id", _new_id)
    for module in (arp_daemon.open_runs, arp_daemon.submission, arp_daemon.intake, arp_daemon.questions):
        monkeypatch.setattr(module, "utc_now", virtual_now)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def _new_id(prefix: str) -> str:
    return SimRelay.world.new_id(prefix)


def _seeds() -> list[int]:
    given = os.environ.get(_VARIABLE)
    if given:
        return [int(seed) for seed in given.split(",")]
    first = random.SystemRandom().randrange(10**9)
    return list(range(first, first + _SCHEDULES // _PARTS))


@pytest.mark.parametrize("part", range(_PARTS))
def test_no_schedule_breaks_a_promise(part: int) -> None:
    """Every accepted run ends once and in time, is not executed twice, and its log tells so, in any order of things."""
    for seed in _seeds():
        try:
            simulate(seed)
        except Exception as exc:
            exc.add_note(f"Part {part}. Play it again: {_VARIABLE}={seed} python -m pytest tests/daemon/simulation")
            raise
