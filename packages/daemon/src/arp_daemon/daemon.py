"""A running daemon: its managers, put together, and the order of its start and stop."""

from __future__ import annotations

import fcntl
import os
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.dispatcher import Dispatcher
from arp_daemon.instances import InstanceManager
from arp_daemon.launcher import open_launcher
from arp_daemon.profiles import ProfileManager
from arp_daemon.run_queue import RunQueue
from arp_daemon.runs import RunManager
from arp_daemon.store import open_sqlite_store
from arp_model import HealthChecksItem, Status
from arp_service.sqlite import StoreUnavailableError
from arp_service.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from anyio.abc import TaskStatus

    from arp_daemon.settings import Settings
    from arp_daemon.store import Store

_log = structlog.get_logger(__name__)

# Health must answer soon, also when the disk does not.
_STORE_CHECK_S = 2.0


class DataDirInUseError(Exception):
    """Another daemon serves this data dir."""


@dataclass(frozen=True)
class Daemon:
    """What the routes see."""

    settings: Settings
    store: Store
    profiles: ProfileManager
    instances: InstanceManager
    runs: RunManager
    dispatcher: Dispatcher
    queue: RunQueue
    stop: Stop

    async def drain(self) -> None:
        """Let running work end, for a bounded time, then stop all instances. Queued runs stay queued."""
        with anyio.move_on_after(self.settings.drain_grace_s):
            while any(instance.assigned for instance in self.instances.all()):
                await self.queue.changed.wait()
        await self.instances.stop_managed()
        self.runs.wake_watchers()

    async def checks(self) -> list[HealthChecksItem]:
        """What `GET /v1/health` shows."""
        return [await self._check_store(), self._check_instances(), self._check_stop()]

    async def _check_store(self) -> HealthChecksItem:
        try:
            with anyio.fail_after(_STORE_CHECK_S):
                await self.store.check()
        except StoreUnavailableError as exc:
            return HealthChecksItem(name="store", status=Status.DOWN, message=exc.message)
        except TimeoutError:
            return HealthChecksItem(name="store", status=Status.DEGRADED, message="A write takes too long.")
        return HealthChecksItem(name="store", status=Status.OK)

    def _check_instances(self) -> HealthChecksItem:
        details = {"instances": len(self.instances.all()), "queued_runs": len(self.queue)}
        return HealthChecksItem(name="instances", status=Status.OK, details=details)

    def _check_stop(self) -> HealthChecksItem:
        if self.stop.requested.is_set():
            return HealthChecksItem(name="serving", status=Status.DEGRADED, message="Shutting down.")
        return HealthChecksItem(name="serving", status=Status.OK)


@asynccontextmanager
async def open_daemon(settings: Settings) -> AsyncIterator[Daemon]:
    """Open the data dir, take up what an earlier daemon left, and run until the block ends.

    Raises:
        DataDirInUseError: another daemon serves this data dir.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(settings.lock_path):
        async with open_sqlite_store(settings.store_path) as store, anyio.create_task_group() as tasks:
            stop, queue = Stop(), RunQueue()
            profiles = ProfileManager(store)
            await profiles.load()
            instances = InstanceManager(store, profiles)
            runs = RunManager(store, queue)
            dispatcher = Dispatcher(runs, queue, instances, tasks, stop)
            runs.on_end = dispatcher.on_end
            instances.on_ready, instances.on_gone = dispatcher.on_ready, dispatcher.on_gone
            # The runs before the instances: events come in as soon as an instance is found again.
            sent = await runs.load()
            await tasks.start(_keep_launcher, settings, instances, stop)
            dispatcher.adopt(sent)
            tasks.start_soon(dispatcher.run)
            yield Daemon(settings, store, profiles, instances, runs, dispatcher, queue, stop)
            tasks.cancel_scope.cancel()


async def _keep_launcher(
    settings: Settings, instances: InstanceManager, stop: Stop, *, task_status: TaskStatus[None]
) -> None:
    """Hold on to the launcher; where it dies, its instances died with it, and another one is started.

    A daemon that stops in order ends the launcher; one that crashes leaves it to the next daemon.
    """
    first = True
    while True:
        async with open_launcher(settings.data_dir) as launcher:
            instances.use_launcher(launcher)
            if first:
                await instances.attach()
                task_status.started()
                first = False
            try:
                await instances.follow_launcher(launcher)
            finally:
                if stop.closing.is_set():
                    with anyio.CancelScope(shield=True):
                        await launcher.shutdown(0.0)
        _log.error("launcher_gone")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the data dir's lock. The kernel frees it when the process dies, however it does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataDirInUseError(
                f"Another daemon serves {path.parent}: stop it, or use another --data-dir."
            ) from exc
        yield
    finally:
        os.close(descriptor)
