"""Accepted runs that wait for a slot: one queue a selector, each in order of arrival."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.open_run import OpenRun
    from arp_daemon.selector import Selector


class RunQueue:
    """`OpenRuns` puts, the dispatcher takes."""

    def __init__(self) -> None:
        self._queues: dict[Selector, deque[OpenRun]] = {}
        self.changed = Changed()
        """Something was put, or a slot may be free: whoever assigns runs should look."""

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def put(self, run: OpenRun) -> None:
        """Add a run at its place in the order of arrival."""
        queue = self._queues.setdefault(run.selector, deque())
        if queue and queue[-1].position > run.position:
            behind = next(i for i, other in enumerate(queue) if other.position > run.position)
            queue.insert(behind, run)
        else:
            queue.append(run)
        self.changed.notify()

    def take(self, selector: Selector) -> OpenRun:
        """Remove and return the first run of a selector that has one."""
        queue = self._queues[selector]
        run = queue.popleft()
        if not queue:
            del self._queues[selector]
        return run

    def remove(self, run: OpenRun) -> bool:
        """Take a run out; False when it is not queued any more."""
        queue = self._queues.get(run.selector)
        if queue is None or run not in queue:
            return False
        queue.remove(run)
        if not queue:
            del self._queues[run.selector]
        return True

    def selectors(self) -> list[Selector]:
        """The selectors that have runs waiting."""
        return list(self._queues)

    def waiting(self, selector: Selector) -> int:
        """How many runs wait under a selector."""
        return len(self._queues.get(selector, ()))

    def drain(self, selector: Selector) -> Iterator[OpenRun]:
        """Take all runs of a selector, first to last."""
        while self.waiting(selector):
            yield self.take(selector)
