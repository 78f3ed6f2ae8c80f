"""How many instances a profile should have, and how soon another one may be started. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arp_daemon.exec_spec import AnyExec

# Between a crash and the next start: doubling, with jitter, so that many profiles do not start in step.
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.5, 30.0
# An instance that was healthy for so long has shown that it can live: its crash starts the count anew.
_PROVEN_S = 60.0
_CRASH_WINDOW_S = 60.0
MAX_CRASHES = 5
# Runs that wait for a profile are told so, when it failed to start this often in a row.
PATIENCE = 3


@dataclass
class Health:
    """How the instances of one profile have fared; times are seconds of a monotonic clock."""

    version: int = 0
    """Of the profile; another version has no past."""
    crashes: deque[float] = field(default_factory=deque)
    """When the last ones crashed, within the window."""
    streak: int = 0
    """Crashes in a row, without an instance that proved itself."""
    not_before: float = 0.0
    """No start before this time."""
    given_up: int = 0
    """Instances that ended, and by the restart policy were not replaced."""
    broken: str | None = None
    """Why nothing is started any more, until somebody changes something."""

    def crashed(self, now: float, lived_s: float, reason: str, jitter: float) -> None:
        """Count a crash, or a start that failed. `jitter` is from 0 to 1."""
        self.streak = 1 if lived_s >= _PROVEN_S else self.streak + 1
        self.not_before = now + backoff_s(self.streak, jitter)
        self.crashes.append(now)
        while self.crashes[0] <= now - _CRASH_WINDOW_S:
            self.crashes.popleft()
        if len(self.crashes) >= MAX_CRASHES:
            self.broken = reason

    def started(self) -> None:
        """An instance got healthy: who starts is no longer suspected, but its crashes are remembered."""
        self.not_before = 0.0


def backoff_s(streak: int, jitter: float) -> float:
    """The pause after the `streak`-th crash in a row: 0.5 s doubling to 30 s, of which up to half is left to chance."""
    full: float = min(_FIRST_BACKOFF_S * 2 ** (streak - 1), _LAST_BACKOFF_S)
    return full * (0.5 + jitter / 2)


@dataclass(frozen=True)
class Demand:
    """What asks for instances of a profile."""

    asked_for: int
    """Created by a client, and not deleted since."""
    busy: int
    """Live instances that have runs."""
    queued_runs: int
    free_slots: int
    """Of live instances."""
    given_up: int = 0
    """Ended, and by the restart policy not to be replaced."""


def wanted(spec: AnyExec, demand: Demand, live: int, slots_each: int, room: int) -> int:
    """How many instances there should be: `min`, `warm` more than are busy, enough for the queue; at most `room`.

    `room` is the profile's `max` without those that are on their way out, whose processes still live.
    """
    unserved = max(0, demand.queued_runs - demand.free_slots)
    for_queue = live + -(-unserved // slots_each) if unserved else 0
    at_least = max(spec.min - demand.given_up, 0)
    return min(max(at_least, demand.asked_for, demand.busy + spec.warm if spec.warm else 0, for_queue), room)


def is_replaced(restart: str, exit_code: int | None) -> bool:
    """Whether an instance that ended by itself is replaced. `exit_code` None: by a signal, or because it hung."""
    return restart == "always" or (restart == "unexpected" and exit_code != 0)
