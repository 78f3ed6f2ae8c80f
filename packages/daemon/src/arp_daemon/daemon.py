"""A running daemon: its managers, put together, and the order of its start and stop."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from arp_daemon.admission import Admission
from arp_daemon.allowed_endpoints import AllowedEndpoints
from arp_daemon.attachment import Attachment
from arp_daemon.cancellation import Cancellation
from arp_daemon.creation import InstanceCreator
from arp_daemon.dispatcher import Dispatcher
from arp_daemon.draining import Drains
from arp_daemon.environments import EnvironmentManager
from arp_daemon.health import HealthMonitor
from arp_daemon.instance import instance_environments
from arp_daemon.instances import InstanceManager
from arp_daemon.launcher_keeper import keep_launcher
from arp_daemon.lookup import ask_system
from arp_daemon.matching import Matcher
from arp_daemon.open_runs import OpenRuns
from arp_daemon.pool import PoolKeeper
from arp_daemon.preparation import Preparation
from arp_daemon.profile_files import read_profiles
from arp_daemon.profiles import ProfileManager
from arp_daemon.redaction import Redactor
from arp_daemon.registration import Registrar
from arp_daemon.rolling_restart import RollingRestarts
from arp_daemon.run_queue import RunQueue
from arp_daemon.run_traces import RunTraces
from arp_daemon.runs import RunManager
from arp_daemon.slots import Slots
from arp_daemon.starter import Starter
from arp_daemon.store import open_sqlite_store
from arp_daemon.submission import Submissions
from arp_service.folder_lock import locked_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.settings import Settings
    from arp_daemon.store import Store
    from arp_model import RuntimeProfileUpsertRequest
    from arp_service.stopping import Stop

# For the ends of runs whose instances were stopped under them, so that watchers see them; a store that refuses writes
# keeps them for the next start.
_SETTLE_S = 2.0


@dataclass(frozen=True)
class Daemon:
    """What the routes see."""

    settings: Settings
    store: Store
    profiles: ProfileManager
    instances: InstanceManager
    creator: InstanceCreator
    registrar: Registrar
    drains: Drains
    restarts: RollingRestarts
    starter: Starter
    submissions: Submissions
    pool: PoolKeeper
    runs: RunManager
    traces: RunTraces
    dispatcher: Dispatcher
    cancellation: Cancellation
    queue: RunQueue
    stop: Stop
    health: HealthMonitor

    async def drain(self) -> None:
        """Let running work end, for a bounded time, then stop all instances. Queued runs stay queued.

        Hurried, instances are ended at once, and what they worked on is settled as after any loss of an instance.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_when_hurried)
            async with self.stop.grace(self.settings.drain_grace_s):
                while any(instance.load for instance in self.instances.all()):
                    await self.queue.changed.wait()
            await self.instances.stop_managed()
            with anyio.move_on_after(_SETTLE_S):
                await self.dispatcher.wait_settled()
            tasks.cancel_scope.cancel()
        self.runs.wake_watchers()

    async def _end_when_hurried(self) -> None:
        await self.stop.hurried.wait()
        await self.instances.end_managed()


@asynccontextmanager
async def open_daemon(settings: Settings, stop: Stop) -> AsyncIterator[Daemon]:
    """Open the data dir, take up what an earlier daemon left, and run until the block ends.

    Raises:
        FolderError: another daemon serves this data dir, or it cannot be written.
        ProfileFileError: the operator's profiles cannot be used.
    """
    path = settings.profiles_path
    given = {} if path is None else await anyio.to_thread.run_sync(read_profiles, path, settings.interpreters)
    with locked_folder(settings.data_dir, "daemon"):
        async with open_sqlite_store(settings.store_path) as store, anyio.create_task_group() as tasks:
            yield await _take_up(settings, given, store, tasks, stop)
            tasks.cancel_scope.cancel()


async def _take_up(
    settings: Settings, given: Mapping[str, RuntimeProfileUpsertRequest], store: Store, tasks: TaskGroup, stop: Stop
) -> Daemon:
    """Put the managers together, take up what an earlier daemon left, and start what runs for ever."""
    queue = RunQueue()
    environments = EnvironmentManager(settings.environments_path, settings.interpreters, os.environ, tasks)
    profiles = ProfileManager(store, environments)
    environments.on_change = profiles.on_change = queue.changed.notify
    await profiles.load(given)
    preparation = Preparation(settings, os.environ, environments, Redactor())
    starter = Starter(store, preparation.redactor)
    instances = InstanceManager(store, starter)
    creator = InstanceCreator(instances, profiles, preparation, starter)
    drains = Drains(instances, store, tasks)
    restarts = RollingRestarts(instances, creator, profiles, drains, store, queue.changed, tasks, stop)
    registrar = Registrar(instances, store, AllowedEndpoints(settings.allowed_endpoints), ask_system)
    attachment = Attachment(instances, drains, registrar, starter, store, preparation.redactor)
    matcher = Matcher(instances, profiles)
    open_runs = OpenRuns(store, queue, stop)
    runs = RunManager(store, open_runs)
    dispatcher = Dispatcher(runs, open_runs, queue, instances, profiles, matcher, tasks, stop)
    admission = Admission(matcher, profiles, queue, settings.max_queued_bytes)
    submissions = Submissions(store, runs, open_runs, admission, Slots(dispatcher, queue))
    pool = PoolKeeper(profiles, instances, creator, matcher, open_runs, queue, stop)
    open_runs.on_end, open_runs.redactor = dispatcher.on_end, preparation.redactor

    def on_ready(instance: Instance) -> None:
        dispatcher.on_ready(instance)
        tasks.start_soon(pool.watch, instance)

    instances.on_ready, instances.on_gone, instances.on_exit = on_ready, dispatcher.on_gone, pool.on_exit
    # The runs before the instances: events come in as soon as an instance is found again.
    dispatcher.expect(await open_runs.load())
    tasks.start_soon(preparation.learn, profiles.all_details())
    tasks.start_soon(environments.sweep, instance_environments(await store.list_instances()))
    await tasks.start(keep_launcher, settings.data_dir, starter, attachment, environments, stop)
    await dispatcher.lose_unfound()
    health = HealthMonitor(settings, store, starter, instances, queue, stop)
    for forever in (dispatcher.run, open_runs.keep_time, pool.run, health.run):
        tasks.start_soon(forever)
    restarts.resume()
    return Daemon(
        settings,
        store,
        profiles,
        instances,
        creator,
        registrar,
        drains,
        restarts,
        starter,
        submissions,
        pool,
        runs,
        RunTraces(store, runs, instances, preparation.redactor),
        dispatcher,
        Cancellation(store, dispatcher, tasks, stop),
        queue,
        stop,
        health,
    )
