"""The daemon of a schedule: what it is made of is real, what is around it is not.

Real are submissions, open runs, queue, dispatcher, links and followers. A crash is all of the daemon's memory, dropped:
whatever it waits for never comes, and what the store had not committed by then is lost.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from arp_daemon.address import Address
from arp_daemon.dispatcher import Dispatcher
from arp_daemon.instance import BATCH, EVENTS, Instance, InstanceFacts
from arp_daemon.open_runs import OpenRuns
from arp_daemon.run_queue import RunQueue
from arp_daemon.runs import RunManager
from arp_daemon.slots import Slots
from arp_daemon.submission import Submissions
from arp_model import InstanceState
from arp_service.stopping import Stop
from daemon.simulation.memory_store import MemoryStore

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from daemon.simulation.world import World


class CrashedError(BaseException):
    """The daemon that waits for this is dead; nothing catches it."""


class CrashingDaemon:
    """One daemon, from its start to its crash."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.dead = False
        self._instances: dict[str, Instance] = {}
        self._stop, self._queue = Stop(), RunQueue()
        self._store = MemoryStore(world.disk, self._pace, world.refuses)
        self._open_runs = OpenRuns(self._store, self._queue, self._stop)
        self.runs = RunManager(self._store, self._open_runs)
        self._tasks: TaskGroup
        self.dispatcher: Dispatcher
        self.submissions: Submissions

    async def run(self, tasks: TaskGroup) -> None:
        """Start as the real one does, and go on until the crash."""
        world = self._world
        self._tasks = tasks
        self.dispatcher = Dispatcher(
            self.runs,
            self._open_runs,
            self._queue,
            cast("Any", self),
            cast("Any", SimpleNamespace(exec_of=lambda _name: world.exec_spec)),
            cast("Any", SimpleNamespace(check=lambda _selector: None)),
            tasks,
            self._stop,
        )
        everybody = cast("Any", EverybodyIn())
        slots = Slots(self.dispatcher, self._queue)
        self.submissions = Submissions(self._store, self.runs, self._open_runs, everybody, slots)
        self._open_runs.on_end = self.dispatcher.on_end
        self.dispatcher.expect(await self._open_runs.load())
        for instance_id, runtime in world.runtimes.items():
            if runtime.alive:
                self.find(instance_id)
        await self.dispatcher.lose_unfound()
        tasks.start_soon(self.dispatcher.run)
        tasks.start_soon(self._open_runs.keep_time)
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


class EverybodyIn:
    def hold(self, *_args: object) -> None:
        """See `Admission`."""

    def give_back(self, *_args: object) -> None:
        """See `Admission`."""
