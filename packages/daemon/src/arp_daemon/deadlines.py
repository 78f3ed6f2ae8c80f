"""When runs have to have ended: one heap for all of them. Knows ids and times, and nothing else of runs."""

from __future__ import annotations

import heapq
import math

import anyio

from arp_service.changed import Changed

# The heap is made anew when it holds so many more than what is still waited for.
_SLACK = 64


class Deadlines:
    """`OpenRuns` sets and forgets, one task waits for the next that is due."""

    def __init__(self) -> None:
        self._when: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._earlier = Changed()

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, run_id: str, in_s: float) -> None:
        """The run is due in so many seconds."""
        when = anyio.current_time() + in_s
        self._when[run_id] = when
        heapq.heappush(self._heap, (when, run_id))
        if self._heap[0][1] == run_id:
            self._earlier.notify()

    def forget(self, run_id: str) -> None:
        """The run has ended. Its place in the heap goes when many such have gathered: a run costs log n in all."""
        if self._when.pop(run_id, None) is not None and len(self._heap) > 2 * len(self._when) + _SLACK:
            self._heap = [(when, run_id) for run_id, when in self._when.items()]
            heapq.heapify(self._heap)

    async def next_due(self) -> str:
        """Wait until a run is due; forget it, and return its id."""
        while True:
            due = self._heap[0][0] if self._heap else math.inf
            if due <= anyio.current_time():
                when, run_id = heapq.heappop(self._heap)
                if self._when.get(run_id) == when:
                    del self._when[run_id]
                    return run_id
                continue
            with anyio.move_on_at(due):
                await self._earlier.wait()
