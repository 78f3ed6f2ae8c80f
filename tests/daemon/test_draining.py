"""An instance on its way out: it gets no more runs, finishes those that it has, and is gone."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, cast

import anyio
import msgspec
import pytest

from arp_daemon.address import Address
from arp_daemon.draining import Drains
from arp_daemon.instance import Instance, InstanceFacts
from arp_daemon.instances import InstanceManager
from arp_model import InstanceState
from daemon.simulation.memory_store import Disk, MemoryStore
from support.daemon import running_daemon
from support.runtime import running_runtime
from support.waiting import until_answer

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon

_OURS = {"driver": "runtime", "template": "arp_runtime.cli:main"}


async def _busy(daemon: RunningDaemon, goal: str = "wait 60 seconds", **profile: Any) -> tuple[dict[str, Any], str]:
    """An instance of the default profile, and the run that it works on."""
    await daemon.put_profile(**{**_OURS, "max": 2, **profile})
    run_id = await daemon.submit(goal)
    await daemon.until_event(run_id, "step")
    (instance,) = await daemon.instances()
    return instance, run_id


async def _drain(daemon: RunningDaemon, instance: dict[str, Any], query: str = "") -> dict[str, Any]:
    response = await daemon.client.post(f"/v1/instances/{instance['instance_id']}:drain{query}")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def _until_gone(daemon: RunningDaemon, instance: dict[str, Any]) -> None:
    await until_answer(daemon.instances, lambda found: instance["instance_id"] not in [i["instance_id"] for i in found])


async def test_a_drained_instance_finishes_its_run_and_takes_no_other(daemon: RunningDaemon) -> None:
    """Answered at once as `stopping`; the next run goes to another instance; then its process is gone."""
    instance, run_id = await _busy(daemon, "wait 2 seconds")
    assert (await _drain(daemon, instance))["state"] == "stopping"
    other = await daemon.submit("What is 1+1?")
    assert (await daemon.result(other))["ok"] is True
    assert (await daemon.get(f"/v1/runs/{other}"))["runtime_instance_id"] != instance["instance_id"]
    assert (await daemon.result(run_id))["ok"] is True
    await _until_gone(daemon, instance)
    with pytest.raises(ProcessLookupError):
        os.kill(instance["extensions"]["arp.pid"], 0)


async def test_the_streams_of_what_is_stopped_do_not_break(tmp_path: Path) -> None:
    """An orderly stop logs no warning, also where one instance is gone long before another."""
    async with running_daemon(tmp_path / "data", "--drain-grace-s", "0") as daemon:
        await daemon.result(await daemon.submit("hello"))
        await daemon.put_profile("slow", **_OURS, stop_grace_s=1)
        slow = await daemon.submit("wait 60 seconds", runtime_selector={"runtime_profile": "slow"})
        await daemon.until_event(slow, "step")
        assert await daemon.stop() == 0
        assert [line for line in daemon.words().splitlines() if "event_stream" in line] == []


async def test_a_drain_may_have_a_bound(daemon: RunningDaemon) -> None:
    """Asked again with a grace, the run that is still there when it is over ends with its instance."""
    instance, run_id = await _busy(daemon, stop_grace_s=0.2)
    await _drain(daemon, instance)
    assert (await _drain(daemon, instance, "?grace_ms=50"))["state"] == "stopping"
    assert (await daemon.result(run_id))["error"]["code"] in {"interrupted", "instance_lost"}
    await _until_gone(daemon, instance)


async def test_a_deleted_instance_finishes_its_run_within_its_grace(daemon: RunningDaemon) -> None:
    """204 when it is gone, and the run has ended well."""
    instance, run_id = await _busy(daemon, "wait 1 seconds", stop_grace_s=30)
    assert (await daemon.client.delete(f"/v1/instances/{instance['instance_id']}")).status_code == 204
    assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "succeeded"
    assert await daemon.instances() == []


async def test_an_instance_on_its_way_out_still_counts_for_max(daemon: RunningDaemon) -> None:
    """With max 1 the next run waits until its process is gone; no run is lost."""
    instance, run_id = await _busy(daemon, max=1)
    await _drain(daemon, instance)
    other = await daemon.submit("What is 1+1?")
    assert [i["instance_id"] for i in await daemon.instances()] == [instance["instance_id"]]
    await daemon.client.post(f"/v1/runs/{run_id}:cancel")
    assert (await daemon.result(other))["ok"] is True
    assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "canceled"


async def test_a_run_that_asks_for_an_instance_on_its_way_out_is_refused(daemon: RunningDaemon) -> None:
    """Nothing could ever serve it."""
    instance, _run_id = await _busy(daemon)
    await _drain(daemon, instance)
    body = {"input": {"goal": "x"}, "runtime_selector": {"instance_id": instance["instance_id"]}}
    response = await daemon.client.post("/v1/runs", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "no_matching_instance")


async def test_a_drain_goes_on_after_the_daemon_was_killed(daemon: RunningDaemon) -> None:
    """The next daemon gives it no runs either, and stops it when its run has ended."""
    instance, run_id = await _busy(daemon)
    await _drain(daemon, instance)
    await daemon.kill()
    await daemon.start()
    (after,) = await daemon.instances()
    assert (after["instance_id"], after["state"]) == (instance["instance_id"], "stopping")
    await daemon.client.post(f"/v1/runs/{run_id}:cancel")
    assert (await daemon.result(run_id))["error"]["code"] == "canceled"
    await _until_gone(daemon, instance)


async def test_a_draining_instance_that_dies_loses_its_run_at_once(daemon: RunningDaemon) -> None:
    """Nobody waits for what can never end; and it counts as no crash of its profile."""
    instance, run_id = await _busy(daemon)
    await _drain(daemon, instance)
    os.kill(instance["extensions"]["arp.pid"], signal.SIGKILL)
    assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
    await _until_gone(daemon, instance)


async def test_a_registered_runtime_that_is_let_go_lives_on_with_its_run(daemon: RunningDaemon) -> None:
    """Drained within a bound, or deleted: the process is not touched, and goes on with what it does."""
    async with running_runtime("--drain-grace-s", "0") as runtime:
        for how in ("drain", "delete"):
            body = {"runtime_api_endpoint": runtime.base_url, "runtime_profile": "theirs"}
            instance = (await daemon.client.post("/v1/instances:register", json=body)).json()["instance"]
            path = f"/v1/instances/{instance['instance_id']}"
            run_id = await daemon.submit("wait 60 seconds", runtime_selector={"runtime_profile": "theirs"})
            await daemon.until_event(run_id, "step")
            if how == "drain":
                await _drain(daemon, instance, "?grace_ms=0")
                await _until_gone(daemon, instance)
            else:
                assert (await daemon.client.delete(path)).status_code == 204
            assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
            answer = await daemon.client.get(f"{runtime.base_url}/v1/runs/{run_id}")
            assert answer.json()["state"] == "running"
        assert runtime.process.returncode is None


async def test_a_grace_is_a_number_of_milliseconds(daemon: RunningDaemon) -> None:
    """400 for what is none, and nothing is drained; an instance that nobody knows is a 404."""
    response = await daemon.client.post("/v1/instances/inst_none:drain")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "instance_not_found")
    (instance,) = (await daemon.client.post("/v1/instances", json={"runtime_profile": "default"})).json()["instances"]
    for grace_ms in ("-1", "1.5", "soon", "86400001", ""):
        path = f"/v1/instances/{instance['instance_id']}:drain?grace_ms={grace_ms}"
        response = await daemon.client.post(path)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert (await daemon.instances())[0]["state"] == "ready"


async def test_a_drain_without_a_bound_does_not_lift_an_earlier_one() -> None:
    """Of several wishes the one that ends first counts, for the next daemon as well."""
    store = MemoryStore(Disk())
    instances = InstanceManager(store, cast("Any", None))
    facts = InstanceFacts(instance_id="i1", address=Address("http://127.0.0.1:1"), managed=False)
    instance = Instance(facts, InstanceState.READY)
    instance.assigned["r1"] = cast("Any", None)
    instances.add(instance)
    async with anyio.create_task_group() as tasks:
        drains = Drains(instances, store, tasks)
        await drains.begin(instance, None)
        await drains.begin(instance, 60.0)
        first = facts.leave_by
        await drains.begin(instance, None)
        await drains.begin(instance, 3600.0)
        tasks.cancel_scope.cancel()
    [record] = await store.list_instances()
    assert first is not None
    assert msgspec.json.decode(record.body, type=InstanceFacts).leave_by == first
