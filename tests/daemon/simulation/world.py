"""One schedule: clients, a daemon that crashes and starts again, and instances, all moved by one seed.

The daemon's part is real. Around it are a store in memory that survives it, instances that are scripted, and a clock
that jumps. Wherever the daemon waits for the store or for an instance, the seed says for how long, and ids are made of
it; so it decides what happens in between.
"""

from __future__ import annotations

import asyncio
import random
from builtins import BaseExceptionGroup
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from msgspec import UNSET

from arp_daemon.exec_spec import RuntimeExec
from arp_daemon.store import InstanceRecord
from arp_model import RunRequest, RunRequestInput, RunRequestLimits
from daemon.simulation.crashing_daemon import CrashedError, CrashingDaemon
from daemon.simulation.memory_store import Disk
from daemon.simulation.model import Model
from daemon.simulation.runtimes import Execution, SimRelay, SimRuntime
from daemon.simulation.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from arp_model import RunStatus

# Virtual seconds in which everything has to have come to its end.
_PATIENCE_S = 600.0
_NAPS = (0.0, 0.0, 0.0, 0.001, 0.01, 0.1, 0.5)
# How long a run may take, and what its profile allows at most, in milliseconds.
_TIMES_MS = (None, None, None, None, 0, 300, 1500)
_CEILINGS_MS = (None, None, None, 2000)


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
        self.exec_spec = RuntimeExec(
            retries=self.random.choice([0, 0, 1, 2]), max=10, max_timeout_ms=self.random.choice(_CEILINGS_MS)
        )
        self.disk = Disk()
        self._crashes = self.random.choice([0, 0, 1, 1, 2, 3])
        # A daemon that dies while the store refuses what it knows may leave less behind than it has moved its cursor.
        self._refusals = 0.0 if self._crashes else self.random.choice([0.0, 0.05, 0.2])
        self.model = Model(self.exec_spec)
        self.disk.on_change = lambda run: self.model.note_change(run, self.runtimes.values())
        self.runtimes: dict[str, SimRuntime] = {}
        self.tokens: list[str] = []
        self._daemon: CrashingDaemon | None = None
        self._daemon_changed = anyio.Event()
        SimRelay.world = self

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.random.random() < probability

    def refuses(self) -> bool:
        """Whether the store refuses what is to be appended, as a full disk does."""
        return self.chance(self._refusals)

    async def nap(self) -> None:
        """Let others go on for a while, or for long."""
        await asyncio.sleep(self.random.choice(_NAPS))

    def new_id(self, prefix: str) -> str:
        """An id from the seed."""
        return f"{prefix}_{self.random.getrandbits(64):016x}"

    def note_execution(self, runtime: SimRuntime, execution: Execution) -> None:
        """A runtime has begun to work."""
        self.tokens.append(execution.token)
        self.model.note_execution(runtime, execution, self.runtimes.values())

    async def play(self) -> None:
        """Play the schedule to its end, and look at what has become of it."""
        async with anyio.create_task_group() as self.tasks:
            for _ in range(self.random.randint(1, 2)):
                self._add_runtime()
            self.tasks.start_soon(self._keep_daemon, self._crashes)
            self.tasks.start_soon(self._kill_runtimes, self.random.choice([0, 0, 0, 1, 2]))
            async with anyio.create_task_group() as clients:
                for number in range(self.random.randint(1, 4)):
                    clients.start_soon(self._be_client, self._new_client(f"goal{number}"))
            with anyio.move_on_after(_PATIENCE_S):
                while self._unfinished():  # noqa: ASYNC110 - the time is virtual
                    await anyio.sleep(1)
            self.tasks.cancel_scope.cancel()
        self.model.check_end(self.disk, self.runtimes.values())

    def _unfinished(self) -> bool:
        at_work = (
            e.live and not e.forgotten for runtime in self.runtimes.values() for e in runtime.executions.values()
        )
        on_its_way = (runtime.pending for runtime in self.runtimes.values())
        return any(run.ended_at is None for run in self.disk.runs.values()) or any(at_work) or any(on_its_way)

    # -- what happens ------------------------------------------------------------------------------------------

    def _new_client(self, goal: str) -> _Client:
        limits = self.random.choice(_TIMES_MS)
        ceiling = self.exec_spec.max_timeout_ms
        client = _Client(goal, limits if limits is None or ceiling is None else min(limits, ceiling))
        client.run_id = goal if self.chance(0.6) else None
        client.key = goal if client.run_id is None and self.chance(0.7) else None
        self.model.timeouts_ms[goal] = ceiling if client.timeout_ms is None else client.timeout_ms
        return client

    async def _be_client(self, client: _Client) -> None:
        """Submit a run until it is accepted, perhaps twice at once; perhaps cancel it."""
        told: set[str] = set()
        async with anyio.create_task_group() as tasks:
            for _ in range(self.random.choice([1, 1, 2]) if client.may_repeat else 1):
                tasks.start_soon(self._submit, client, told)
        for run_id in sorted(told):
            self.model.accepted.add((run_id, client.goal))
            for _ in range(self.random.choice([0, 0, 1, 2])):
                await self.nap()
                await self._cancel(run_id)

    async def _cancel(self, run_id: str) -> None:
        await self._until_done(lambda daemon: daemon.dispatcher.cancel(run_id))

    async def _submit(self, client: _Client, told: set[str]) -> None:
        await self.nap()
        status = await self._until_done(
            lambda daemon: daemon.submissions.submit(client.request(), client.key), again=client.may_repeat
        )
        if status is not None:
            told.add(status.run_id)

    async def _until_done(self, ask: Callable[[CrashingDaemon], Awaitable[RunStatus]], *, again: bool = True) -> Any:
        """Ask the daemon; where it dies meanwhile, ask the next one `again`, or never know."""
        while True:
            while self._daemon is None:
                await self._daemon_changed.wait()
            try:
                return await ask(self._daemon)
            except CrashedError:
                if not again:
                    return None
                await self.nap()

    async def _keep_daemon(self, crashes: int) -> None:
        """One daemon after the other, as often as it crashes."""
        for remaining in range(crashes, -1, -1):
            daemon = CrashingDaemon(self)
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(daemon.run, tasks)
                    if remaining:
                        for _ in range(self.random.randint(1, 30)):
                            await self.nap()
                        daemon.dead = True
                        self.model.note_crash(self.runtimes.values())
                        self._show_none()
                        tasks.cancel_scope.cancel()
            except BaseExceptionGroup as group:
                others = group.split(CrashedError)[1]
                if others is not None:
                    raise others from None

    def show(self, daemon: CrashingDaemon) -> None:
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


@dataclass
class _Client:
    """Who wants a goal reached, under a run id, or under a key, or, where it must not ask twice, under neither."""

    goal: str
    timeout_ms: int | None
    run_id: str | None = None
    key: str | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether asking again gives the same run."""
        return self.run_id is not None or self.key is not None

    def request(self) -> RunRequest:
        """The same each time."""
        limits = UNSET if self.timeout_ms is None else RunRequestLimits(timeout_ms=self.timeout_ms)
        run_id = UNSET if self.run_id is None else self.run_id
        return RunRequest(input_=RunRequestInput(goal=self.goal), run_id=run_id, limits=limits)
