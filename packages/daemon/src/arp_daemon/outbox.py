"""What is to be sent to one instance next: the runs that were given to it, in batches."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

from arp_daemon.open_run import Phase
from arp_service.changed import Changed

if TYPE_CHECKING:
    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns

_MAX_BATCH = 128
# Half of what a runtime takes in one body: a larger run goes alone.
_MAX_BATCH_BYTES = 2 * 1024 * 1024
# A run that can be sent waits no longer than this for those that are just being stored.
_TOGETHER_S = 0.02


class Outbox:
    """Filled by the dispatcher, and emptied by the link of the instance."""

    def __init__(self, instance: Instance, runs: OpenRuns) -> None:
        self._instance = instance
        self._runs = runs
        self._waiting: deque[OpenRun] = deque()
        self._changed = Changed()
        self._given_back = 0
        """How many slots that were held for a run are held no longer."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, run: OpenRun) -> None:
        """Have a run sent."""
        self._waiting.append(run)
        self._changed.notify()

    def clear(self) -> None:
        """Nothing that waits will be sent."""
        self._waiting.clear()

    def give_slot_back(self) -> None:
        """A slot of the instance that was held for a run, while that was stored, is held no longer."""
        self._instance.give_slot_back()
        self._given_back += 1
        self._changed.notify()

    async def next_batch(self) -> list[OpenRun]:
        """Wait for runs, and return what of them fits into one call."""
        while True:
            if self._waiting and self._instance.held_slots:
                with anyio.move_on_after(_TOGETHER_S):
                    await self._until_stored()
            batch = await self._take()
            if batch:
                return batch
            await self._changed.wait()

    async def _until_stored(self) -> None:
        """Runs that are being stored for this instance now go along: one call for all of them costs as much as for one.

        Those that begin to be stored meanwhile do not count; the store answers in the order in which it was asked.
        """
        last = self._given_back + self._instance.held_slots
        while self._given_back < last:
            await self._changed.wait()

    async def _take(self) -> list[OpenRun]:
        """What is not to be sent any more leaves the outbox here."""
        batch: list[OpenRun] = []
        size = 0
        while self._waiting and len(batch) < _MAX_BATCH and size < _MAX_BATCH_BYTES:
            run = self._waiting[0]
            if batch and size + len(run.request) > _MAX_BATCH_BYTES:
                break
            self._waiting.popleft()
            if run.cancel_requested and run.phase is Phase.ASSIGNED:
                await self._runs.end_canceled(run)
            elif self._instance.stuck and run.phase is Phase.ASSIGNED:
                self._instance.release(run)
                await self._runs.queue_again(run, "instance_stuck")
            elif not run.ended:
                batch.append(run)
                size += len(run.request)
        return batch
