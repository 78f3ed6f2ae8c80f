"""Writing what happens to runs to the disk: all that waits in one commit, and then it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from arp_service.changed import Changed
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_runtime.records.changes import Change
    from arp_runtime.records.store.sqlite import RunStore

_log = structlog.get_logger(__name__)

# A disk that refuses is asked again this often; what has happened cannot be taken back.
_RETRY_S = 0.5
# At the end of the process, for what is still to be written.
_LAST_WRITE_S = 5.0


class StoreWriter:
    """A `Keeper` that is a store. `run` writes; it is one task."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._waiting: list[tuple[Change, Callable[[], None]]] = []
        self._given = Changed()
        self._written = Changed()
        self._refusal: StoreUnavailableError | None = None

    def keep(self, change: Change, then: Callable[[], None]) -> None:
        """See `Keeper.keep`."""
        self._waiting.append((change, then))
        self._given.notify()

    def check(self) -> None:
        """See `Keeper.check`."""
        if self._refusal is not None:
            raise StoreUnavailableError(self._refusal.message)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            while not self._waiting:
                await self._given.wait()
            await self._write_waiting()

    async def finish(self) -> None:
        """Return when all is written, or a bounded time is over."""
        with anyio.move_on_after(_LAST_WRITE_S):
            while self._waiting:
                await self._written.wait()

    async def _write_waiting(self) -> None:
        batch = list(self._waiting)
        try:
            await self._store.write(change for change, _ in batch)
        except StoreUnavailableError as exc:
            if self._refusal is None:
                _log.error("store_refuses", error=exc.message)
            self._refusal = exc
            await anyio.sleep(_RETRY_S)
            return
        self._refusal = None
        del self._waiting[: len(batch)]
        for _, then in batch:
            then()
        self._written.notify()
