"""Runs that are claimed in the commit that accepts them, and all that may happen until they are sent."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from anyio import wait_all_tasks_blocked

import arp_daemon.link
from arp_daemon.address import Address
from arp_daemon.dispatcher import Dispatcher
from arp_daemon.instance import BATCH, EVENTS, Instance, InstanceFacts
from arp_daemon.open_runs import OpenRuns
from arp_daemon.run_queue import RunQueue
from arp_daemon.runs import RunManager
from arp_daemon.slots import Slots
from arp_daemon.submission import Submissions
from arp_daemon.wire_events import WireEvent
from arp_model import InstanceState, RunEventType, RunRequest, RunState
from arp_service.errors import RunConflictError
from arp_service.info import utc_now
from arp_service.sqlite import StoreUnavailableError
from arp_service.stopping import Stop
from daemon.simulation.crashing_daemon import EverybodyIn
from daemon.simulation.gated import Gate, GatedRuntime
from daemon.simulation.memory_store import Disk, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from arp_model import RunStatus
    from arp_service.changed import Changed


class _Scene:
    """Submissions, dispatcher and links are real; the disk waits behind a gate, instances are scripted."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.tasks, self.stop, self.queue, self.disk = tasks, Stop(), RunQueue(), Disk()
        self.disk_gate, self.refuses = Gate(), False
        self.committed: list[tuple[str, str]] = []
        self.disk.on_change = lambda run: self.committed.append((run.run_id, run.state.value))
        self.runtimes: dict[str, GatedRuntime] = {}
        self.instances: dict[str, Instance] = {}
        store = MemoryStore(self.disk, self._pace)
        self.open_runs = OpenRuns(store, self.queue, self.stop)
        self.runs = RunManager(store, self.open_runs)
        self.dispatcher = Dispatcher(
            self.runs,
            self.open_runs,
            self.queue,
            cast("Any", SimpleNamespace()),
            cast("Any", SimpleNamespace(exec_of=lambda _name: None)),
            cast("Any", SimpleNamespace(check=lambda _selector: None)),
            tasks,
            self.stop,
        )
        self.open_runs.on_end = self.dispatcher.on_end
        everybody = cast("Any", EverybodyIn())
        self.submissions = Submissions(store, self.runs, self.open_runs, everybody, Slots(self.dispatcher, self.queue))

    async def _pace(self) -> None:
        await self.disk_gate()
        if self.refuses:
            raise StoreUnavailableError("full")

    def add(self, instance_id: str, concurrency: int = 1) -> Instance:
        """An instance is ready."""
        self.runtimes[instance_id] = GatedRuntime()
        facts = InstanceFacts(
            instance_id=instance_id,
            address=Address(instance_id),
            managed=True,
            runtime_profile="default",
            concurrency=concurrency,
            features=[BATCH, EVENTS],
        )
        instance = self.instances[instance_id] = Instance(facts, InstanceState.READY)
        self.dispatcher.on_ready(instance)
        return instance

    def lose(self, instance_id: str) -> None:
        """An instance is gone."""
        self.instances[instance_id].lifecycle = InstanceState.STOPPED
        self.dispatcher.on_gone(self.instances[instance_id])

    async def submit(self, run_id: str, goal: str = "x", **parts: Any) -> RunStatus:
        """Submit a run, and wait for the answer."""
        request = RunRequest.from_dict({"run_id": run_id, "input": {"goal": goal}, **parts})
        return await self.submissions.submit(request)

    async def begin_submit(self, run_id: str) -> None:
        """Submit a run; it gets as far as it can without the disk."""
        self.tasks.start_soon(self.submit, run_id)
        await wait_all_tasks_blocked()

    async def let_commit(self) -> None:
        """The disk is there again; all goes on as far as it can."""
        self.disk_gate.open.set()
        await wait_all_tasks_blocked()

    async def succeed(self, run_id: str) -> None:
        """An instance says that a run of its has succeeded."""
        run = self.open_runs.find(run_id)
        assert run is not None
        last = WireEvent(run_id, 0, RunEventType.FINAL, utc_now(), {"ok": True})
        await self.open_runs.apply(str(run.instance_id), [last], None)
        await wait_all_tasks_blocked()

    def sent(self, instance_id: str = "i0") -> list[str]:
        """The tokens under which an instance was sent runs."""
        return self.runtimes[instance_id].sent


@asynccontextmanager
async def _playing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Scene]:
    async with anyio.create_task_group() as tasks:
        scene = _Scene(tasks)
        monkeypatch.setattr(arp_daemon.link, "Relay", lambda address: scene.runtimes[address.base_url])
        monkeypatch.setattr(arp_daemon.link, "runtime_client", lambda address: scene.runtimes[address.base_url])
        tasks.start_soon(scene.dispatcher.run)
        await wait_all_tasks_blocked()
        yield scene
        tasks.cancel_scope.cancel()


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Scene]:
    async with _playing(monkeypatch) as playing:
        yield playing


async def test_a_run_that_finds_a_slot_is_running_when_it_is_accepted(scene: _Scene) -> None:
    """One commit for both, and the answer says so; it is sent under its own id, as a first attempt is."""
    scene.add("i0")
    scene.runtimes["i0"].gate.close()
    status = await scene.submit("r1")
    assert (status.state, status.runtime_instance_id) == (RunState.RUNNING, "i0")
    assert status.started_at
    await wait_all_tasks_blocked()
    assert (scene.sent(), scene.committed) == (["r1"], [("r1", "running")])
    [attempt] = scene.disk.attempts[1]
    assert (attempt.attempt, attempt.token, attempt.instance_id, attempt.outcome) == (1, "r1", "i0", None)


async def test_nothing_is_sent_before_the_commit(scene: _Scene) -> None:
    """Nor is anybody answered."""
    scene.add("i0")
    scene.runtimes["i0"].gate.close()
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    assert (scene.sent(), scene.open_runs.find("r1")) == ([], None)
    await scene.let_commit()
    assert scene.sent() == ["r1"]


async def test_a_run_that_comes_alone_is_sent_before_its_client_is_answered(scene: _Scene) -> None:
    """Its instance works while the answer is written; nothing is waited for but one turn of the loop."""
    scene.add("i0", concurrency=2)
    await wait_all_tasks_blocked()
    scene.runtimes["i0"].gate.close()
    await scene.submit("r1")
    assert scene.sent() == ["r1"]
    with anyio.fail_after(10):
        await scene.submit("r2")  # the instance has not answered yet
    assert scene.sent() == ["r1"]


async def test_a_slot_that_is_held_is_taken(scene: _Scene) -> None:
    """Of two that are stored together for one slot, the first is claimed, and the second waits."""
    instance = scene.add("i0")
    scene.runtimes["i0"].gate.close()
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    assert (instance.load, instance.free_slots) == (1, 0)
    await scene.begin_submit("r2")
    await scene.let_commit()
    assert (scene.sent(), scene.committed) == (["r1"], [("r1", "running"), ("r2", "queued")])
    assert (instance.load, len(scene.queue)) == (1, 1)


@pytest.mark.parametrize("stored", [True, False])
async def test_who_came_before_has_the_better_right_to_a_slot(scene: _Scene, stored: bool) -> None:
    """A run that waits, or is being `stored` to wait, goes first, though the slot is free when the next one comes."""
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    if stored:
        await scene.let_commit()
    instance = scene.add("i0")
    scene.runtimes["i0"].gate.close()
    scene.tasks.start_soon(scene.submit, "r2")
    await wait_all_tasks_blocked()
    await scene.let_commit()
    assert (scene.sent(), instance.load) == (["r1"], 1)
    assert scene.committed == [("r1", "queued"), *scene.committed[1:]]
    assert ("r2", "running") not in scene.committed


async def test_a_run_that_could_go_elsewhere_has_its_right_too(scene: _Scene) -> None:
    """One that names the instance does not overtake one of the profile, which waits for the same slot."""
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    scene.add("i0")
    scene.runtimes["i0"].gate.close()
    select = {"runtime_selector": {"instance_id": "i0"}}
    request = RunRequest.from_dict({"run_id": "r2", "input": {"goal": "x"}, **select})
    scene.tasks.start_soon(scene.submissions.submit, request)
    await wait_all_tasks_blocked()
    await scene.let_commit()
    assert scene.sent() == ["r1"]
    assert ("r2", "queued") in scene.committed


async def test_a_store_that_refuses_leaves_the_slot_free(scene: _Scene) -> None:
    """Nothing is sent, and the next run finds it."""
    instance = scene.add("i0")
    scene.runtimes["i0"].gate.close()
    scene.refuses = True
    with pytest.raises(StoreUnavailableError):
        await scene.submit("r1")
    scene.refuses = False
    assert (instance.load, scene.sent(), scene.disk.runs) == (0, [], {})
    await scene.submit("r2")
    await wait_all_tasks_blocked()
    assert scene.sent() == ["r2"]


async def test_an_id_that_is_taken_leaves_the_slot_free(scene: _Scene) -> None:
    """The same run again, or a conflict: in both cases nothing is claimed for it."""
    instance = scene.add("i0", concurrency=2)
    scene.runtimes["i0"].gate.close()
    await scene.submit("r1")
    assert (await scene.submit("r1")).state is RunState.RUNNING
    with pytest.raises(RunConflictError):
        await scene.submit("r1", goal="another")
    await wait_all_tasks_blocked()
    assert (instance.load, scene.sent(), len(scene.disk.attempts[1])) == (1, ["r1"], 1)


async def test_a_slot_that_was_held_in_vain_goes_to_who_waits(scene: _Scene) -> None:
    """The one that waited behind it is assigned, without anything else happening."""
    instance = scene.add("i0", concurrency=2)
    scene.runtimes["i0"].gate.close()
    await scene.submit("r1")
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    await scene.begin_submit("r2")
    await scene.let_commit()
    assert list(instance.assigned) == ["r1", "r2"]
    assert scene.committed[1] == ("r2", "queued")


async def test_an_instance_that_goes_before_the_commit_is_sent_nothing(scene: _Scene) -> None:
    """The run was claimed for it all the same, so its attempt is closed; the next instance gets another one."""
    scene.add("i0")
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    scene.lose("i0")
    scene.add("i1")
    scene.runtimes["i1"].gate.close()
    await scene.let_commit()
    await scene.dispatcher.wait_settled()
    await wait_all_tasks_blocked()
    first, second = scene.disk.attempts[1]
    assert (first.instance_id, first.outcome) == ("i0", "instance_gone")
    assert (second.attempt, second.instance_id, second.outcome) == (2, "i1", None)
    assert (scene.sent("i0"), scene.sent("i1")) == ([], [second.token])
    assert second.token != "r1"


async def test_an_instance_on_its_way_out_keeps_the_slot_that_is_held(scene: _Scene) -> None:
    """Who drains it sees that it has work until the run, which was claimed for it, is over."""
    instance = scene.add("i0")
    scene.runtimes["i0"].gate.close()
    scene.disk_gate.close()
    await scene.begin_submit("r1")
    instance.leave()
    assert instance.load == 1
    await scene.let_commit()
    assert (instance.load, instance.held_slots, scene.sent()) == (1, 0, ["r1"])


async def test_a_claimed_run_that_is_canceled_before_it_is_sent_is_never_sent(scene: _Scene) -> None:
    """It ends as canceled, with its attempt, and its slot is free."""
    instance = scene.add("i0", concurrency=2)
    scene.runtimes["i0"].gate.close()
    await scene.submit("r1")
    await wait_all_tasks_blocked()
    await scene.submit("r2")
    await wait_all_tasks_blocked()
    await scene.dispatcher.cancel("r2")
    scene.runtimes["i0"].gate.open.set()
    await wait_all_tasks_blocked()
    assert (await scene.runs.status("r2")).state is RunState.CANCELED
    assert [attempt.outcome for attempt in scene.disk.attempts[2]] == ["canceled"]
    assert "r2" not in scene.sent()
    assert "r2" not in instance.assigned


async def test_a_cancel_between_the_commit_and_its_answer_is_not_lost(scene: _Scene) -> None:
    """Who finds the run in the store, as a list does, cancels it, though it has not been taken in yet."""
    scene.add("i0")
    scene.disk.on_change = lambda _run: scene.disk_gate.close()
    await scene.begin_submit("r1")
    assert (list(scene.disk.runs), scene.open_runs.find("r1")) == ([1], None)
    scene.tasks.start_soon(scene.dispatcher.cancel_all, ["r1"])
    await wait_all_tasks_blocked()
    scene.disk.on_change = lambda _run: None
    await scene.let_commit()
    assert scene.disk.runs[1].cancel_requested_at is not None


async def test_a_claimed_run_without_time_ends_at_once(scene: _Scene) -> None:
    """A timeout of 0: it is not sent."""
    instance = scene.add("i0")
    status = await scene.submit("r1", limits={"timeout_ms": 0})
    assert status.state is RunState.RUNNING
    await wait_all_tasks_blocked()
    assert (await scene.runs.status("r1")).state is RunState.FAILED
    assert (scene.sent(), instance.load) == ([], 0)


async def test_a_stopping_daemon_claims_nothing(scene: _Scene) -> None:
    """What is accepted after the signal waits for the next daemon."""
    scene.add("i0")
    scene.stop.requested.set()
    assert (await scene.submit("r1")).state is RunState.QUEUED
    await wait_all_tasks_blocked()
    assert scene.sent() == []


async def test_who_keeps_the_pool_hears_that_an_instance_gets_busy_and_idle(scene: _Scene) -> None:
    """Also where a slot was held in vain; who waits for the instance to have no more work hears of that as well."""
    instance = scene.add("i0")
    scene.runtimes["i0"].gate.close()
    await wait_all_tasks_blocked()
    heard: list[int] = []
    idle: list[int] = []

    async def listen(changed: Changed, loads: list[int]) -> None:
        while True:
            await changed.wait()
            loads.append(instance.load)

    scene.tasks.start_soon(listen, scene.queue.changed, heard)
    scene.tasks.start_soon(listen, instance.changed, idle)
    await wait_all_tasks_blocked()
    scene.refuses = True
    with pytest.raises(StoreUnavailableError):
        await scene.submit("r1")
    await wait_all_tasks_blocked()
    assert (heard, idle) == ([0], [0])
    scene.refuses = False
    await scene.submit("r1")
    await wait_all_tasks_blocked()
    assert (heard, idle) == ([0, 1], [0])
    await scene.succeed("r1")
    assert (heard[-1], idle) == (0, [0, 0])


async def test_a_slot_that_frees_goes_to_who_waits(scene: _Scene) -> None:
    """However many runs its instance has besides."""
    instance = scene.add("i0", concurrency=3)
    for run_id in ("r1", "r2", "r3"):
        assert (await scene.submit(run_id)).state is RunState.RUNNING
    assert (await scene.submit("r4")).state is RunState.QUEUED
    await wait_all_tasks_blocked()
    await scene.succeed("r1")
    assert list(instance.assigned) == ["r2", "r3", "r4"]


async def test_runs_that_are_stored_together_are_handed_over_together(scene: _Scene) -> None:
    """A hand-over waits for those that are being stored for the same instance, so that one call takes them along."""
    scene.add("i0", concurrency=8)
    scene.disk_gate.close()
    for run_id in ("r1", "r2", "r3"):
        await scene.begin_submit(run_id)
    await scene.let_commit()
    assert scene.runtimes["i0"].batches == [["r1", "r2", "r3"]]
