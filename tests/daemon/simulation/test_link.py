"""A link whose instance goes, or whose run ends, at the worst moment; each was seen in a schedule of the simulation."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked

import arp_daemon.link
from arp_daemon.address import Address
from arp_daemon.failures import instance_lost
from arp_daemon.instance import BATCH, Instance, InstanceFacts
from arp_daemon.link import Link
from arp_daemon.open_run import OpenRun, Phase
from arp_daemon.open_runs import OpenRuns
from arp_daemon.run_queue import RunQueue
from arp_daemon.selector import Selector
from arp_daemon.store import NewRun
from arp_daemon.wire_events import WireEvent
from arp_model import InstanceState, RunEventType
from arp_service.info import utc_now
from arp_service.stopping import Stop
from daemon.simulation.gated import Gate, GatedRuntime
from daemon.simulation.memory_store import Disk, MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from arp_model import RunResult


class _Scene:
    """A link to one instance, as the dispatcher has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runtime, self.disk_gate = GatedRuntime(), Gate()
        monkeypatch.setattr(arp_daemon.link, "Relay", lambda _address: self.runtime)
        monkeypatch.setattr(arp_daemon.link, "runtime_client", lambda _address: self.runtime)
        self.store = MemoryStore(Disk(), self.disk_gate)
        self.queue = RunQueue()
        self.killed: list[Instance] = []
        self.open_runs = OpenRuns(self.store, self.queue, Stop())
        self.link = self.new_link("i0")

    def new_link(self, instance_id: str) -> Link:
        facts = InstanceFacts(
            instance_id=instance_id, address=Address("http://127.0.0.1:1"), managed=True, features=[BATCH]
        )
        instance = Instance(facts, InstanceState.READY)
        return Link(instance, self.open_runs, self.queue, lambda: None, self.killed.append)

    async def queued(self, run_id: str, request: bytes = b'{"input":{"goal":"x"}}') -> OpenRun:
        """A run that waits."""
        [record] = await self.store.insert_runs([NewRun(run_id, request, utc_now())])
        assert record is not None
        return self.open_runs.add(record, Selector())

    def give(self, run: OpenRun, link: Link) -> None:
        """Assign a run, which is the first that waits."""
        assert self.queue.take(run.selector) is run
        link.give(run)

    async def given(self, run_id: str) -> OpenRun:
        """A run that the link has just been given."""
        run = await self.queued(run_id)
        self.give(run, self.link)
        return run

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Any]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.link.run)
            yield tasks
            tasks.cancel_scope.cancel()


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> _Scene:
    return _Scene(monkeypatch)


async def test_a_link_that_has_ended_stops_no_work_and_breaks_nothing(scene: _Scene) -> None:
    """Between the end of a link and that of its instance a run may end: whoever ends it is not hurt by that."""
    scene.runtime.gate.close()
    run = await scene.given("r1")
    async with scene.running():
        await wait_all_tasks_blocked()
    await scene.open_runs.fail(run, instance_lost())
    scene.link.stop_work(run)
    assert scene.runtime.stopped == []


async def test_a_run_that_ends_while_it_is_handed_over_is_stopped_when_the_answer_is_lost(scene: _Scene) -> None:
    """Nobody looked for it before it can have arrived, and its place stays taken until it is known to have stopped."""
    scene.open_runs.on_end = lambda run, _at_instance: scene.link.stop_work(run)
    scene.runtime.gate.close()
    run = await scene.given("r1")
    async with scene.running():
        await wait_all_tasks_blocked()
        await scene.open_runs.fail(run, instance_lost())
        await wait_all_tasks_blocked()
        assert scene.runtime.stopped == []
        assert scene.link.instance.load == 1
        scene.runtime.gate.open.set()
        await wait_all_tasks_blocked()
    assert scene.runtime.stopped == ["r1"]
    assert scene.link.instance.load == 0


@pytest.mark.parametrize("stored", [True, False])
async def test_a_run_whose_last_event_comes_before_the_answer_to_its_hand_over_is_not_stopped(
    scene: _Scene, stored: bool
) -> None:
    """A quick agent's run has ended when the instance answers: nothing is asked for it, its end `stored` or not yet."""
    scene.open_runs.on_end = lambda run, at_instance: (
        scene.link.stop_work(run) if at_instance else scene.link.instance.release(run)
    )
    scene.runtime.gate.close()
    run = await scene.given("r1")
    async with scene.running() as tasks:
        await wait_all_tasks_blocked()
        if not stored:
            scene.disk_gate.close()
        last = WireEvent("r1", 0, RunEventType.FINAL, utc_now(), {"ok": True})
        tasks.start_soon(scene.open_runs.apply, "i0", [last], None)
        await wait_all_tasks_blocked()
        assert run.ended
        scene.runtime.gate.open.set()
        await wait_all_tasks_blocked()
        scene.disk_gate.open.set()
        await wait_all_tasks_blocked()
    assert scene.runtime.stopped == []
    assert scene.link.instance.load == 0


@pytest.mark.parametrize("together", [True, False])
async def test_an_instance_that_goes_takes_no_run_that_was_given_to_another(
    scene: _Scene, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that it was about to send, `together` with a run that has no time, nor one that waits behind it."""
    end = scene.open_runs.end

    async def end_slowly(run: OpenRun, result: RunResult) -> None:
        scene.disk_gate.close()
        await end(run, result)

    monkeypatch.setattr(scene.open_runs, "end", end_slowly)
    first = await scene.queued("r1", b'{"input":{"goal":"x"},"limits":{"timeout_ms":0}}')
    run = await scene.queued("r2")
    scene.give(first, scene.link)
    if together:
        scene.give(run, scene.link)
    async with scene.running() as tasks:
        await wait_all_tasks_blocked()
        if not together:
            scene.give(run, scene.link)
        scene.link.cut()
        tasks.start_soon(scene.open_runs.queue_again, run, "instance_gone")
        if together:  # it was claimed, so that it is queued again is written
            scene.disk_gate.open.set()
        await wait_all_tasks_blocked()
        scene.give(run, scene.new_link("i1"))
        scene.disk_gate.open.set()
        await wait_all_tasks_blocked()
    assert scene.runtime.sent == []
    assert (run.phase, run.instance_id) == (Phase.ASSIGNED, "i1")


async def test_an_instance_that_is_stuck_is_killed_when_its_last_other_run_ends_by_itself(scene: _Scene) -> None:
    """Not before: nothing is lost by it then."""
    instance, stuck, other = scene.link.instance, await scene.queued("r1"), await scene.queued("r2")
    for run in (stuck, other):
        instance.assign(run)
    async with scene.running():
        instance.stick(stuck)
        await wait_all_tasks_blocked()
        assert scene.killed == []
        instance.release(other)
        await wait_all_tasks_blocked()
        assert scene.killed == [instance]
