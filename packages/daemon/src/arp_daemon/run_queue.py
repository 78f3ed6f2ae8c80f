"""Accepted runs that wait for a slot: one queue a selector, each in order of arrival."""

from __future__ import annotations

from collections import Counter
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.open_run import OpenRun
    from arp_daemon.selector import Candidate, Selector

# A heap is made anew when most of its places are of runs that were taken out, and no earlier than this.
_TIDY_FROM = 64


class _Line:
    """The runs of one selector by their positions: the first is found, and any is taken out, without looking at all."""

    def __init__(self) -> None:
        self._heap: list[int] = []
        self._runs: dict[int, OpenRun] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, run: OpenRun) -> bool:
        return self._runs.get(run.position) is run

    def put(self, run: OpenRun) -> None:
        self._runs[run.position] = run
        heappush(self._heap, run.position)

    def take_first(self) -> OpenRun:
        while True:
            run = self._runs.pop(heappop(self._heap), None)
            if run is not None:
                return run

    def take_out(self, run: OpenRun) -> None:
        del self._runs[run.position]
        if len(self._heap) > max(_TIDY_FROM, 2 * len(self._runs)):
            self._heap = list(self._runs)
            heapify(self._heap)


class RunQueue:
    """`OpenRuns` puts, the dispatcher takes."""

    def __init__(self) -> None:
        self._lines: dict[Selector, _Line] = {}
        self.bytes = 0
        """How large the requests are that wait, together."""
        self.changed = Changed()
        """Something was put, or a slot may be free: whoever assigns runs should look."""
        self._coming: Counter[Selector] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def expect(self, selector: Selector) -> None:
        """A run is being stored that will be put, unless `expect_no_more` comes first."""
        self._coming[selector] += 1

    def expect_no_more(self, selector: Selector) -> None:
        """It has been put, or was not stored."""
        self._coming[selector] -= 1
        if not self._coming[selector]:
            del self._coming[selector]

    def has_any_for(self, instance: Candidate) -> bool:
        """Whether a run waits, or is about to, that could go to an instance."""
        return any(selector.admits(instance) for selector in (*self._lines, *self._coming))

    def put(self, run: OpenRun) -> None:
        """Add a run at its place in the order of arrival."""
        self._lines.setdefault(run.selector, _Line()).put(run)
        self.bytes += len(run.request)
        self.changed.notify()

    def take(self, selector: Selector) -> OpenRun:
        """Remove and return the first run of a selector that has one."""
        run = self._lines[selector].take_first()
        self._note_taken(run)
        return run

    def remove(self, run: OpenRun) -> bool:
        """Take a run out; False when it is not queued any more."""
        line = self._lines.get(run.selector)
        if line is None or run not in line:
            return False
        line.take_out(run)
        self._note_taken(run)
        return True

    def selectors(self) -> list[Selector]:
        """The selectors that have runs waiting."""
        return list(self._lines)

    def waiting(self, selector: Selector) -> int:
        """How many runs wait under a selector."""
        return len(self._lines.get(selector, ()))

    def drain(self, selector: Selector) -> Iterator[OpenRun]:
        """Take all runs of a selector, first to last."""
        while self.waiting(selector):
            yield self.take(selector)

    def _note_taken(self, run: OpenRun) -> None:
        self.bytes -= len(run.request)
        if not self._lines[run.selector]:
            del self._lines[run.selector]
