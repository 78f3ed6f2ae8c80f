"""Canceling many runs by a filter, and the run whose watcher has left. One run is canceled by the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from arp_daemon.durable import keep_trying, whole
from arp_model import RunState
from arp_service.errors import ServiceError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.dispatcher import Dispatcher
    from arp_daemon.store import RunFilter, Store
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)

_OPEN = (RunState.QUEUED, RunState.RUNNING)
# So many runs are canceled in one commit: enough to share a sync, few enough to hold up nobody else.
_PAGE = 500
MAX_SHOWN_IDS = 1000


@dataclass(frozen=True)
class Canceled:
    """How many runs, and the newest of them by id."""

    count: int
    run_ids: list[str]


class Cancellation:
    """Asks the dispatcher for what it is about."""

    def __init__(self, store: Store, dispatcher: Dispatcher, tasks: TaskGroup, stop: Stop) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._tasks = tasks
        self._stop = stop

    @whole
    async def cancel(self, wanted: RunFilter, *, dry_run: bool) -> Canceled:
        """Cancel what is wanted and has not ended, newest first, so that none of them is started meanwhile.

        When this returns, each is canceled, or is to be, on the disk. A dry run only counts.

        Raises:
            StoreUnavailableError: the store refuses; some of the runs may have been canceled.
        """
        wanted = _open_ones(wanted)
        count, shown, before = 0, list[str](), None
        while wanted.states:
            page = await self._store.list_runs(_PAGE, before, wanted)
            if not page:
                break
            run_ids = [run.run_id for run in page]
            if not dry_run:
                await self._dispatcher.cancel_all(run_ids)
            count, before = count + len(page), page[-1].position
            shown += run_ids[: MAX_SHOWN_IDS - len(shown)]
        return Canceled(count, shown)

    def watcher_left(self, run_id: str) -> None:
        """Cancel a run that nobody waits for any more."""
        self._tasks.start_soon(self._cancel_left, run_id)

    async def _cancel_left(self, run_id: str) -> None:
        _log.info("watcher_left", run_id=run_id)
        try:
            await keep_trying(lambda: self._dispatcher.cancel_all([run_id]), self._stop)
        except ServiceError as error:
            _log.error("run_not_canceled", run_id=run_id, error=error.message)


def _open_ones(wanted: RunFilter) -> RunFilter:
    """The filter, of runs that can still be canceled; without any state where there are none among them."""
    states = tuple(state for state in wanted.states or _OPEN if state in _OPEN)
    return replace(wanted, states=states)
