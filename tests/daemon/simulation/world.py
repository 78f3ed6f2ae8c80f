"""One schedule: clients, a daemon that crashes and starts again, and instances, all moved by one seed.

The daemon's part is real: submissions, open runs, queue, dispatcher, links, followers. Around it are a store in memory
that survives it, instances that are scripted, and a clock that jumps. Wherever the daemon waits for the store or for an
instance, the seed says for how long; so it decides what happens in between. A crash is all of the daemon's memory,
dropped: whatever it waits for never comes, and what the store had not committed by then is lost.
"""

from __future__ import annotations

import asyncio
import random
from builtins import BaseExceptionGroup
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio

from arp_daemon.address import Address
from arp_daemon.dispatcher import Dispatcher
from arp_daemon.exec_spec import RuntimeExec
from arp_daemon.instance import BATCH, EVENTS, Instance, InstanceFacts
from arp_daemon.open_runs import OpenRuns
from arp_daemon.run_queue import RunQueue
from arp_daemon.runs import RunManager
from arp_daemon.store import InstanceRecord
from arp_daemon.submission import Submissions
from arp_model import InstanceState, RunRequest
from arp_service.stopping import Stop
from daemon.simulation.memory_store import Disk, MemoryStore
from daemon.simulation.model import Model
from daemon.simulation.runtimes import Execution, SimRelay, SimRuntime
from daemon.simulation.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

# Virtual seconds in which everything has to have come to its end.
_PATIENCE_S = 600.0
_NAPS = (0.0, 0.0, 0.0, 0.001, 0.01, 0.1, 0.5)


class CrashedError(BaseException):
    """The daemon that waits for this is dead; nothing catches it."""


def simulate(seed: int) -> None:
    """Play one schedule.

    Raises:
        AssertionError: a promise was broken.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(World(seed).play())


class World:
    """What goes on when the daemon dies."""

    tasks: TaskGroup

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.retries = self.random.choice([0, 0, 1, 2])
        self.disk = Disk()
        self.model = Model(self.retries)
        self.disk.on_change = lambda run: self.model.note_change(run, self.runtimes.values())
        self.runtimes: dict[str, SimRuntime] = {}
        self.tokens: list[str] = []
        self._daemon: _Daemon | None = None
        self._daemon_changed = anyio.Event()
        SimRelay.world = self

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability

    async def nap(self) -> None:
        """Let others go on for a while, or for long."""
        await anyio.sleep(self.random.choice(_NAPS))

    def note_execution(self, runtime: SimRuntime, execution: Execution) -> None:
        """A runtime has begun to work."""
        self.tokens.append(execution.token)
        self.model.note_execution(runtime, execution, self.runtimes.values())

    async def play(self) -> None:
        """Play the schedule to its end, and look at what has become of it."""
        async with anyio.create_task_group() as self.tasks:
            for _ in range(self.random.randint(1, 2)):
                self._add_runtime()
            self.tasks.start_soon(self._keep_daemon, self.random.choice([0, 0, 1, 1, 2, 3]))
            self.tasks.start_soon(self._kill_runtimes, self.random.choice([0, 0, 0, 1, 2]))
            async with anyio.create_task_group() as clients:
                for number in range(self.random.randint(1, 4)):
                    clients.start_soon(self._be_client, f"run{number}")
            with anyio.move_on_after(_PATIENCE_S):
                while self._unfinished():  # noqa: ASYNC110 - the time is virtual
                    await anyio.sleep(1)
            self.tasks.cancel_scope.cancel()
        self.model.check_end(self.disk, self.runtimes.values())

    def _unfinished(self) -> bool:
        at_work = (e.live for runtime in self.runtimes.values() for e in runtime.executions.values())
        return any(run.ended_at is None for run in self.disk.runs.values()) or any(at_work)

    # -- what happens ------------------------------------------------------------------------------------------

    async def _be_client(self, run_id: str) -> None:
        """Submit a run until it is accepted, perhaps twice at once; perhaps cancel it."""
        async with anyio.create_task_group() as tasks:
            for _ in range(self.random.choice([1, 1, 2])):
                tasks.start_soon(self._submit, run_id)
        self.model.accepted.add(run_id)
        for _ in range(self.random.choice([0, 0, 1, 2])):
            await self.nap()
            await self._until_done(lambda daemon: daemon.dispatcher.cancel(run_id))

    async def _submit(self, run_id: str) -> None:
        await self.nap()
        request = RunRequest.from_dict({"run_id": run_id, "input": {"goal": run_id}})
        await self._until_done(lambda daemon: daemon.submissions.submit(request))

    async def _until_done(self, ask: Any) -> None:
        """Ask the daemon; where it dies meanwhile, ask the next one."""
        while True:
            while self._daemon is None:
                await self._daemon_changed.wait()
            try:
                await ask(self._daemon)
            except CrashedError:
                await self.nap()
            else:
                return

    async def _keep_daemon(self, crashes: int) -> None:
        """One daemon after the other, as often as it crashes."""
        for remaining in range(crashes, -1, -1):
            daemon = _Daemon(self)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(daemon.run, tasks)
                    if remaining:
                        for _ in range(self.random.randint(1, 30)):
                            await self.nap()
                        daemon.dead = True
                        self._show_none()
                        tasks.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                others = group.split(CrashedError)[1]
                if others is not None:
                    raise others from None

    def show(self, daemon: _Daemon) -> None:
        """A daemon has started: clients can speak to it."""
        self._daemon = daemon
        self._daemon_changed.set()

    def _show_none(self) -> None:
        self._daemon = None
        if self._daemon_changed.is_set():
            self._daemon_changed = anyio.Event()

    async def _kill_runtimes(self, deaths: int) -> None:
        for _ in range(deaths):
            for _ in range(self.random.randint(1, 20)):
                await self.nap()
            await self.kill(self.random.choice(list(self.runtimes)))

    async def kill(self, instance_id: str) -> None:
        """A runtime dies. A daemon that is there hears of it, one that comes finds it dead; another takes its place."""
        runtime = self.runtimes[instance_id]
        if not runtime.alive:
            return
        runtime.die()
        await self.nap()
        added = self._add_runtime()
        if self._daemon is not None:
            self._daemon.lose(instance_id)
            self._daemon.find(added)

    def _add_runtime(self) -> str:
        instance_id = f"http://i{len(self.runtimes)}"
        self.runtimes[instance_id] = SimRuntime(self, instance_id)
        self.disk.instances[instance_id] = InstanceRecord(instance_id, b"{}", None)
        return instance_id


class _Daemon:
    """One daemon, from its start to its crash."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.dead = False
        self._instances: dict[str, Instance] = {}
        self._stop, self._queue = Stop(), RunQueue()
        self._store = MemoryStore(world.disk, self._pace)
        self._open_runs = OpenRuns(self._store, self._queue, self._stop)
        self.runs = RunManager(self._store, self._open_runs)
        self.submissions = Submissions(self._store, self.runs, self._open_runs, cast("Any", _EverybodyIn()))
        self._tasks: TaskGroup
        self.dispatcher: Dispatcher

    async def run(self, tasks: TaskGroup) -> None:
        """Start as the real one does, and go on until the crash."""
        world = self._world
        self._tasks = tasks
        spec = RuntimeExec(retries=world.retries, max=10)
        self.dispatcher = Dispatcher(
            self.runs,
            self._open_runs,
            self._queue,
            cast("Any", self),
            cast("Any", SimpleNamespace(exec_of=lambda _name: spec)),
            cast("Any", SimpleNamespace(check=lambda _selector: None)),
            tasks,
            self._stop,
        )
        self._open_runs.on_end = self.dispatcher.on_end
        self.dispatcher.expect(await self._open_runs.load())
        for instance_id, runtime in world.runtimes.items():
            if runtime.alive:
                self.find(instance_id)
        await self.dispatcher.lose_unfound()
        tasks.start_soon(self.dispatcher.run)
        self._world.show(self)
        for instance_id, runtime in world.runtimes.items():  # some have died or come meanwhile
            (self.find if runtime.alive else self.lose)(instance_id)

    def find(self, instance_id: str) -> None:
        """An instance is ready."""
        if instance_id in self._instances:
            return
        facts = InstanceFacts(
            instance_id=instance_id,
            address=Address(instance_id),
            managed=True,
            runtime_profile="default",
            concurrency=2,
            features=[BATCH, EVENTS],
        )
        instance = self._instances[instance_id] = Instance(facts, InstanceState.READY)
        instance.cursor = self._world.disk.instances[instance_id].cursor
        self.dispatcher.on_ready(instance)

    def lose(self, instance_id: str) -> None:
        """An instance is gone."""
        instance = self._instances.get(instance_id)
        if instance is not None and instance.lifecycle is InstanceState.READY:
            instance.lifecycle = InstanceState.STOPPED
            self.dispatcher.on_gone(instance)

    # -- what the dispatcher asks of the instance manager ------------------------------------------------------

    async def drop(self, instance: Instance, reason: str) -> None:
        """A link broke: there is no reason here for it to do so."""
        raise AssertionError(f"{instance.instance_id} {reason}")

    async def kill(self, instance: Instance, _reason: str) -> None:
        """It does not stop its work."""
        await self._world.kill(instance.instance_id)

    async def _pace(self) -> None:
        await self._world.nap()
        if self.dead:
            raise CrashedError


class _EverybodyIn:
    def place(self, *_args: object) -> AbstractContextManager[None]:
        """See `Admission`."""
        return nullcontext()
