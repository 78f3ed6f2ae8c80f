"""Which runs execute now and which wait, first come first served. Pure."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from arp_runtime.agents.kinds import Workplace
from arp_runtime.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

# Async agents mostly wait for others; a thread or a process keeps a processor busy.
_CONCURRENT_IN_LOOP = 100
MAX_WAITING_RUNS = 1000


@dataclass(frozen=True)
class Capacity:
    """How many runs execute at once, and how many more may wait."""

    concurrent: int
    waiting: int = MAX_WAITING_RUNS


def concurrent_runs(workplace: Workplace) -> int:
    """How many runs at once are sensible where agents work like this."""
    return _CONCURRENT_IN_LOOP if workplace is Workplace.LOOP else os.cpu_count() or 1


class Turns(Generic[T]):
    """Gives each run its turn. Whoever was let in calls `done` at its end."""

    def __init__(self, capacity: Capacity) -> None:
        self._capacity = capacity
        self._waiting: OrderedDict[str, T] = OrderedDict()
        self._executing = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def check_room(self) -> None:
        """Refuse what could neither execute nor wait.

        Raises:
            OverloadedError: with what is allowed.
        """
        if self._executing >= self._capacity.concurrent and self.waiting >= self._capacity.waiting:
            raise OverloadedError(self._capacity.concurrent, self._capacity.waiting)

    def line_up(self, run_id: str, entry: T) -> None:
        """Let somebody wait for the next turn."""
        self._waiting[run_id] = entry

    def leave(self, run_id: str) -> None:
        """Whoever waits under this id waits no more."""
        self._waiting.pop(run_id, None)

    def next_ones(self) -> Iterator[T]:
        """Those whose turn it is now."""
        while self._waiting and self._executing < self._capacity.concurrent:
            self._executing += 1
            yield self._waiting.popitem(last=False)[1]

    def done(self) -> None:
        """Somebody who was let in has ended."""
        self._executing -= 1
