"""What `GET /v1/health` says. Everything slow is measured beside it: the answer itself waits for nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from msgspec import UNSET

from arp_daemon.launcher import LauncherGoneError
from arp_daemon.watched import LoopLag, Watched
from arp_model import HealthChecksItem, InstanceState, Status

if TYPE_CHECKING:
    from arp_daemon.instances import InstanceManager
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.settings import Settings
    from arp_daemon.starter import Starter
    from arp_daemon.store import Store
    from arp_service.stopping import Stop

# How often store, launcher and disk are tried; a write costs a sync.
_EVERY_S = 2.0
# So many damaged records are named.
_SHOWN_DAMAGED = 10
# A loop that was held up for so long has made every client wait.
_MAX_LAG_S = 1.0


class HealthMonitor:
    """Tries store, launcher and disk in the background, and tells how they are."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        starter: Starter,
        instances: InstanceManager,
        queue: RunQueue,
        stop: Stop,
    ) -> None:
        self._data_dir = settings.data_dir
        self._min_free_bytes = settings.min_free_bytes
        self._starter = starter
        self._instances = instances
        self._queue = queue
        self._stop = stop
        self._free_bytes = self._min_free_bytes
        self._records = store
        self._store = Watched(store.check, _EVERY_S)
        self._launcher = Watched(self._ask_launcher, _EVERY_S)
        self._disk = Watched(self._look_at_disk, _EVERY_S)
        self._lag = LoopLag()

    async def run(self) -> None:
        """Watch for ever. One task."""
        async with anyio.create_task_group() as tasks:
            for watched in (self._store, self._launcher, self._disk, self._lag):
                tasks.start_soon(watched.run)

    async def checks(self) -> list[HealthChecksItem]:
        """All checks; waits for nothing."""
        return [
            self._check_store(),
            self._check_launcher(),
            self._check_loop(),
            self._check_disk(),
            self._check_records(),
            self._check_instances(),
            self._check_serving(),
        ]

    async def _ask_launcher(self) -> None:
        if not self._starter.has_launcher:
            raise LauncherGoneError("there is none at the moment")
        await self._starter.list_alive()

    async def _look_at_disk(self) -> None:
        found = await anyio.to_thread.run_sync(os.statvfs, self._data_dir, abandon_on_cancel=True)
        self._free_bytes = found.f_bavail * found.f_frsize

    def _check_store(self) -> HealthChecksItem:
        if self._store.error is not None:
            return _check("store", Status.DOWN, self._store.error)
        if slow_s := self._store.slow_for_s:
            return _check("store", Status.DEGRADED, f"A write has been waiting for {slow_s:.0f} s.")
        return _check("store", write_ms=_ms(self._store.took_s))

    def _check_launcher(self) -> HealthChecksItem:
        why = self._launcher.error
        if not self._starter.has_launcher:
            why = "there is none at the moment"
        elif slow_s := self._launcher.slow_for_s:
            why = f"it has not answered for {slow_s:.0f} s"
        if why is not None:
            return _check("launcher", Status.DEGRADED, f"No instance can be started now: {why}.")
        return _check("launcher")

    def _check_loop(self) -> HealthChecksItem:
        lag_s = self._lag.worst_s
        late = lag_s > _MAX_LAG_S
        message = "The event loop was held up in the last seconds." if late else None
        return _check("loop", Status.DEGRADED if late else Status.OK, message, worst_lag_ms=_ms(lag_s))

    def _check_disk(self) -> HealthChecksItem:
        details: dict[str, Any] = {"free_bytes": self._free_bytes, "min_free_bytes": self._min_free_bytes}
        if self._disk.error is not None or self._disk.slow_for_s:
            return _check("disk", Status.DEGRADED, f"It does not tell: {self._disk.error or 'it takes too long'}.")
        if self._free_bytes < self._min_free_bytes:
            message = "Little room is left for the data dir: free some before runs are refused."
            return _check("disk", Status.DEGRADED, message, **details)
        return _check("disk", **details)

    def _check_records(self) -> HealthChecksItem:
        if not (damaged := sorted(self._records.damaged)):
            return _check("records")
        message = "Stored records are damaged: stop the daemon, and run arp-daemon check and arp-daemon repair."
        return _check("records", Status.DEGRADED, message, damaged=len(damaged), first=damaged[:_SHOWN_DAMAGED])

    def _check_instances(self) -> HealthChecksItem:
        instances = self._instances.all()
        in_error = sum(instance.lifecycle is InstanceState.ERROR for instance in instances)
        details: dict[str, Any] = {"instances": len(instances), "in_error": in_error, "queued_runs": len(self._queue)}
        if in_error:
            return _check("instances", Status.DEGRADED, "GET /v1/instances tells what is wrong.", **details)
        return _check("instances", **details)

    def _check_serving(self) -> HealthChecksItem:
        if self._stop.requested.is_set():
            return _check("serving", Status.DEGRADED, "Shutting down.")
        return _check("serving")


def _check(name: str, status: Status = Status.OK, message: str | None = None, **details: Any) -> HealthChecksItem:
    return HealthChecksItem(
        name=name, status=status, message=UNSET if message is None else message, details=details or UNSET
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
