"""A run is executed once, unless its profile allows retries; and what an old attempt says is dropped."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from arp_daemon.ceilings import Ceilings
from arp_daemon.open_run import Phase
from arp_daemon.open_runs import OpenRuns
from arp_daemon.run_queue import RunQueue
from arp_daemon.selector import Selector
from arp_daemon.store import NewRun, open_sqlite_store
from arp_daemon.wire_events import WireEvent
from arp_model import RunEventType, RunState
from arp_service.info import utc_now
from arp_service.stopping import Stop
from support.liars import put_liar, running_liar

if TYPE_CHECKING:
    from pathlib import Path

    from arp_daemon.store import Store
    from support.daemon import RunningDaemon


_DEFAULT = Selector(runtime_profile="default")
# Sooner than a runtime that hangs while a daemon is there is noticed, which takes 12 s.
_SOON_S = 10.0


def _event(token: str, seq: int, type_: RunEventType = RunEventType.TOKEN, **data: Any) -> WireEvent:
    return WireEvent(token, seq, type_, utc_now(), data)


class _Scene:
    """One run, with a real store and no instance: the test says what one would."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.queue = RunQueue()
        self.runs = OpenRuns(store, self.queue, Stop())

    async def accept(self) -> None:
        (record,) = await self.store.insert_runs([NewRun("r", b'{"input":{"goal":"x"}}', utc_now())])
        assert record is not None
        self.run = self.runs.add(record, _DEFAULT)

    async def start(self) -> str:
        """Claim the run for the instance `i`, and return the attempt's token."""
        assert self.queue.take(_DEFAULT) is self.run
        self.run.phase = Phase.ASSIGNED
        await self.runs.start_attempts([self.run], "i", Ceilings())
        return str(self.run.token)


async def test_a_refused_attempt_is_no_lost_one(tmp_path: Path) -> None:
    """With one retry, a run that was refused before is tried again when its instance is lost, and once."""
    async with open_sqlite_store(tmp_path / "db") as store:
        scene = _Scene(store)
        await scene.accept()
        await scene.start()
        await scene.runs.queue_again(scene.run, "busy")
        for expected in (False, True):
            await scene.start()
            scene.run.phase = Phase.SENT
            await scene.runs.lose(scene.run, 1, proven=True)
            assert scene.run.ended is expected


async def test_what_an_old_attempt_still_says_is_dropped(tmp_path: Path) -> None:
    """Also from the same instance, and also its end; the daemon's seq has no gap across attempts."""
    async with open_sqlite_store(tmp_path / "db") as store:
        scene = _Scene(store)
        await scene.accept()
        runs, run = scene.runs, scene.run
        old = await scene.start()
        run.phase = Phase.SENT
        await runs.apply("i", [_event(old, 0, text="old")], None)
        await runs.try_again(run)
        new = await scene.start()
        run.phase = Phase.SENT
        await runs.apply("i", [_event(new, 0, text="new")], None)
        await runs.apply("i", [_event(old, 1, text="late"), _event(old, 2, RunEventType.FINAL, ok=True)], None)
        assert not run.ended
        await runs.apply("other", [_event(new, 1, RunEventType.FINAL, ok=True)], None)
        assert not run.ended
        await runs.apply("i", [_event(new, 1, RunEventType.FINAL, ok=True)], None)
        assert (run.ended, run.state) == (True, RunState.SUCCEEDED)
        events = await store.list_events(run.position, 0, 10)
        assert [type_ for e in events for type_ in e.types] == ["token", "step", "token", "final"]
        attempts = await store.list_attempts(run.position)
        assert [(a.attempt, a.token, a.outcome) for a in attempts] == [
            (1, "r", "instance_lost"),
            (2, new, "succeeded"),
        ]


async def test_a_lost_run_is_tried_again_as_often_as_its_profile_allows(daemon: RunningDaemon) -> None:
    """Each attempt has a number and an instance of its own; after the last one it is lost."""
    await put_liar(daemon, "events", retries=1)
    run_id = await daemon.submit("deaf")
    async for event in daemon.follow(run_id):
        if event["type"] == "token":  # the first instance may still be listed when the second one speaks
            at = (await daemon.get(f"/v1/runs/{run_id}"))["runtime_instance_id"]
            (pid,) = [i["extensions"]["arp.pid"] for i in await daemon.instances() if i["instance_id"] == at]
            os.kill(pid, signal.SIGKILL)
    assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
    entries = (await daemon.get(f"/v1/runs/{run_id}/trace"))["events"]
    dispatched = [entry["data"] for entry in entries if entry["type"] == "run.dispatched"]
    assert [entry["attempt"] for entry in dispatched] == [1, 2]
    assert len({entry["instance_id"] for entry in dispatched}) == 2


async def test_a_hand_over_that_is_refused_is_tried_again(daemon: RunningDaemon) -> None:
    """Busy is asked again later, however often; a run that is refused for good has the instance's own error."""
    await put_liar(daemon, "events")
    assert (await daemon.result(await daemon.submit("refuse-503-twice")))["output"] == {"echo": "refuse-503-twice"}
    error = (await daemon.result(await daemon.submit("refuse-400")))["error"]
    assert (error["code"], error["message"]) == ("oh", "no")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_runs_of_a_registered_runtime_that_does_not_answer_end_soon_after_a_start(
    daemon: RunningDaemon, how: signal.Signals
) -> None:
    """It is gone, or hangs, while no daemon is there; the next one does not wait for it."""
    async with running_liar("events") as endpoint:
        body = {"runtime_api_endpoint": endpoint, "runtime_profile": "theirs"}
        assert (await daemon.client.post("/v1/instances:register", json=body)).is_success
        run_id = await daemon.submit("deaf", runtime_selector={"runtime_profile": "theirs"})
        await daemon.until_event(run_id, "token")
        await daemon.kill()
        (liar,) = [p for p in psutil.Process().children() if "liar.py" in " ".join(p.cmdline())]
        os.kill(liar.pid, how)
        await daemon.start()
        with anyio.fail_after(_SOON_S):
            assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
