"""Cancel is remembered first and then real: a run is canceled when nobody works on it any more, and then for good."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from support.liars import put_liar, running_liar
from support.waiting import until_answer

if TYPE_CHECKING:
    from support.daemon import RunningDaemon


async def _cancel(daemon: RunningDaemon, run_id: str) -> dict[str, Any]:
    response = await daemon.client.post(f"/v1/runs/{run_id}:cancel")
    assert response.is_success, response.text
    return dict(response.json())


async def _deaf_run(daemon: RunningDaemon, **parts: Any) -> str:
    run_id = await daemon.submit("deaf", **parts)
    await daemon.until_event(run_id, "token")
    return run_id


async def _at_work(daemon: RunningDaemon) -> dict[str, Any]:
    """The only instance, when it has a run."""
    (instance,) = await until_answer(daemon.instances, lambda found: any(i["extensions"]["arp.runs"] for i in found))
    return instance


def _pid(instance: dict[str, Any]) -> int:
    return int(instance["extensions"]["arp.pid"])


@pytest.mark.parametrize("features", [["events"], []])
async def test_an_instance_that_does_not_stop_its_only_run_is_killed(
    daemon: RunningDaemon, features: list[str]
) -> None:
    """The run is canceled, not lost and not tried again, and not before the process is gone."""
    await put_liar(daemon, *features, stop_grace_s=0.1, retries=3)
    run_id = await daemon.submit("deaf")
    (instance,) = await until_answer(
        daemon.instances, lambda found: [i["extensions"]["arp.runs"] for i in found] == [1]
    )
    assert (await _cancel(daemon, run_id))["state"] in {"queued", "running"}
    events = await daemon.events(run_id)
    assert not psutil.pid_exists(_pid(instance))
    assert events[-1]["data"]["error"] == {"code": "canceled", "message": "The run was canceled."}
    assert [e["type"] for e in events if e["type"] in {"final", "error"}] == ["error"]
    status = await daemon.get(f"/v1/runs/{run_id}")
    assert (status["state"], status["runtime_instance_id"]) == ("canceled", instance["instance_id"])
    assert (await daemon.result(await daemon.submit("hello")))["output"] == {"echo": "hello"}


async def test_an_instance_with_other_runs_is_killed_when_they_are_over(daemon: RunningDaemon) -> None:
    """Until then it gets no new runs, and the one that is to be canceled is not yet."""
    await put_liar(daemon, "events", stop_grace_s=0.1)
    first, second = await _deaf_run(daemon), await _deaf_run(daemon)
    (instance,) = await daemon.instances()
    await _cancel(daemon, first)
    await until_answer(daemon.instances, lambda found: found[0]["extensions"].get("arp.stuck_runs") == [first])
    third = await daemon.submit("hello")
    assert (await daemon.get(f"/v1/runs/{third}"))["state"] == "queued"
    assert (await daemon.get(f"/v1/runs/{first}"))["state"] == "running"
    await _cancel(daemon, second)
    assert {(await daemon.end(run_id))["state"] for run_id in (first, second)} == {"canceled"}
    assert not psutil.pid_exists(_pid(instance))
    status = await daemon.end(third)
    assert status["state"] == "succeeded"
    assert status["runtime_instance_id"] != instance["instance_id"]


async def test_a_registered_runtime_is_not_touched(daemon: RunningDaemon) -> None:
    """After its grace the run is canceled, and says that nobody knows whether the work has stopped."""
    async with running_liar("events") as endpoint:
        body = {"runtime_api_endpoint": endpoint, "runtime_profile": "theirs"}
        assert (await daemon.client.post("/v1/instances:register", json=body)).is_success
        run_id = await _deaf_run(daemon, runtime_selector={"runtime_profile": "theirs"})
        await _cancel(daemon, run_id)
        assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "running"
        error = (await daemon.result(run_id))["error"]
        assert (error["code"], error["details"]) == ("canceled", {"work_may_go_on": True})
        assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "canceled"
        again = await daemon.submit("hello", runtime_selector={"runtime_profile": "theirs"})
        assert (await daemon.result(again))["ok"] is True


async def test_work_that_goes_on_after_its_time_is_stopped_the_same_way(daemon: RunningDaemon) -> None:
    """Its run has failed already; its place is free when the process is gone."""
    await put_liar(daemon, "events", stop_grace_s=0.1, concurrency=1)
    run_id = await daemon.submit("deaf", limits={"timeout_ms": 100})
    (instance,) = await until_answer(
        daemon.instances, lambda found: [i["extensions"]["arp.runs"] for i in found] == [1]
    )
    assert (await daemon.end(run_id))["state"] == "failed"
    assert (await daemon.instances())[0]["extensions"]["arp.runs"] == 1
    assert (await daemon.result(await daemon.submit("hello")))["ok"] is True
    assert not psutil.pid_exists(_pid(instance))
    assert (await daemon.result(run_id))["error"]["code"] == "limit_exceeded"


async def test_a_canceled_run_whose_instance_dies_is_canceled(daemon: RunningDaemon) -> None:
    """It is neither lost nor tried again."""
    await put_liar(daemon, "events", stop_grace_s=60, retries=3)
    run_id = await _deaf_run(daemon)
    (instance,) = await daemon.instances()
    await _cancel(daemon, run_id)
    os.kill(_pid(instance), signal.SIGKILL)
    assert (await daemon.end(run_id))["state"] == "canceled"
    assert "attempt_lost" not in [e["data"].get("name") for e in await daemon.events(run_id)]


async def test_a_cancel_outlives_the_daemon(daemon: RunningDaemon) -> None:
    """Killed right after it was asked: the next one goes on with it."""
    await put_liar(daemon, "events", stop_grace_s=0.1)
    run_id = await _deaf_run(daemon)
    (instance,) = await daemon.instances()
    await _cancel(daemon, run_id)
    await daemon.kill()
    await daemon.start()
    assert (await daemon.end(run_id))["state"] == "canceled"
    assert not psutil.pid_exists(_pid(instance))


async def test_a_cancel_that_meets_the_finish_leaves_one_end(daemon: RunningDaemon) -> None:
    """Asked twice, of many runs that are just ending: each has one state, one last event, and a result that fits."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=8)
    run_ids = [await daemon.submit("count to 3") for _ in range(12)]

    async def cancel(run_id: str) -> None:
        async for _ in daemon.follow(run_id):
            break
        await _cancel(daemon, run_id)

    async with anyio.create_task_group() as tasks:
        for run_id in run_ids * 2:
            tasks.start_soon(cancel, run_id)
    for run_id in run_ids:
        state = (await daemon.end(run_id))["state"]
        events = await daemon.events(run_id)
        assert [e["type"] in {"final", "error"} for e in events] == [False] * (len(events) - 1) + [True]
        result = await daemon.result(run_id)
        assert state == ("succeeded" if result["ok"] else "canceled")
        assert (await _cancel(daemon, run_id))["state"] == state
