"""Processes that hang, hide, multiply, or never get ready."""

from __future__ import annotations

import os
import signal
import sys
from statistics import median
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from faults.kills import kill_instance, kill_launcher
from faults.leaks import processes_of
from faults.repetitions import times
from support.daemon import is_alive
from support.waiting import until, until_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faults.scene import Scene

HUNG = 8


@pytest.mark.full
async def test_hung_instances_are_noticed_and_replaced_and_their_runs_end(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """SIGSTOP: no run stays with an instance that answers nobody."""
    await scene.put_agent("waiting", min=HUNG, max=HUNG, concurrency=1)
    instances = await until_answer(scene.daemon.instances, lambda found: _count(found, "ready") == HUNG)
    runs = [await scene.daemon.submit("hung-1") for _ in range(HUNG)]
    for run_id in runs:
        await scene.daemon.until_event(run_id, "step")
    began, seen = anyio.current_time(), []
    for instance in instances:
        os.kill(instance["extensions"]["arp.pid"], signal.SIGSTOP)

    async def wait_for_end(run_id: str) -> None:
        result = await scene.daemon.result(run_id)
        seen.append(anyio.current_time() - began)
        assert result["error"]["code"] == "instance_lost"

    async with anyio.create_task_group() as tasks:
        for run_id in runs:
            tasks.start_soon(wait_for_end, run_id)
    tell(
        "SIGSTOP",
        f"{HUNG} instances; their runs ended after {median(seen):.1f} s, {max(seen):.1f} s at most (promised: 15 s)",
    )


async def test_grandchildren_that_have_left_their_session_end_with_their_instance(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Forked twice, in a session of their own: none outlives its instance, however that ends."""
    await scene.put_agent("escaping", max=1, concurrency=2, stop_grace_s=0.1)
    rounds = times(20, 1)
    endings: list[Callable[[Scene], Awaitable[object]]] = [_delete_instance, kill_instance, kill_launcher]
    for number in range(rounds):
        for end in endings:
            runs = [await scene.daemon.submit("escape") for _ in range(2)]
            grandchildren = [psutil.Process(await _escaped(scene, run_id)) for run_id in runs]
            assert all(is_alive(process) for process in grandchildren)
            await end(scene)
            await _until_dead(grandchildren)
            for run_id in runs:
                assert (await scene.daemon.result(run_id))["error"]["code"] in {"instance_lost", "canceled"}
        await scene.put_agent("escaping", max=1, concurrency=2, stop_grace_s=0.1, max_queued=1000 + number)
    tell(
        "grandchildren in sessions of their own", f"{rounds * len(endings) * 2} escaped, all ended with their instance"
    )


async def test_nothing_is_left_of_instances_that_never_get_ready(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """A client that asks for some is told their last words; a run that needs one is told so, too."""
    script = "import sys, time; print('still loading', file=sys.stderr, flush=True); time.sleep(600)"
    command = [sys.executable, "-S", "-c", script]
    before = len(processes_of(scene.daemon.data_dir))
    rounds = times(20, 1)
    for number in range(rounds):
        name = f"never-{number}"
        await scene.daemon.put_profile(
            name, driver="command", command=command, max=3, start_timeout_s=0.5, stop_grace_s=0.1
        )
        answer = await scene.daemon.client.post("/v1/instances", json={"runtime_profile": name, "count": 3})
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "instance_start_failed"
        assert "still loading" in answer.json()["error"]["details"]["stderr_tail"]
        run_id = await scene.daemon.submit("x", runtime_selector={"runtime_profile": name})
        assert (await scene.daemon.result(run_id))["error"]["code"] == "instance_start_failed"
        await until(lambda: len(processes_of(scene.daemon.data_dir)) <= before)
    tell("never ready", f"{rounds * 3} asked for and {rounds} needed by a run: each told so, nothing left")


async def _until_dead(processes: list[psutil.Process]) -> None:
    await until(lambda: not any(is_alive(process) for process in processes))


async def _escaped(scene: Scene, run_id: str) -> int:
    async for event in scene.daemon.follow(run_id):
        if event["type"] == "step" and event["data"]["name"] == "escaped":
            return int(event["data"]["pid"])
    raise AssertionError("nothing escaped")


async def _delete_instance(scene: Scene) -> None:
    (instance,) = await scene.daemon.instances()
    answer = await scene.daemon.client.delete(f"/v1/instances/{instance['instance_id']}")
    assert answer.status_code == 204


def _count(instances: list[dict[str, Any]], state: str) -> int:
    return sum(instance["state"] == state for instance in instances)
