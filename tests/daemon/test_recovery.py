"""What a daemon promises across deaths: an accepted run survives the loss of any process."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import psutil
import pytest

from arp_daemon.store import InstanceRecord, open_sqlite_store
from support.daemon import is_alive, running_daemon
from support.runtime import running_runtime

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon
    from support.forked import ForkedCommands


async def test_a_daemon_that_is_killed_finds_its_instances_and_runs_again(daemon: RunningDaemon) -> None:
    """SIGKILL and start again: the same instance works on the same run, and watchers miss nothing."""
    run_id = await daemon.submit("count to 40")
    await daemon.until_event(run_id, "token")
    (before,) = await daemon.instances()
    await daemon.kill()
    await daemon.start()
    (after,) = await daemon.instances()
    assert after["extensions"]["arp.pid"] == before["extensions"]["arp.pid"]
    events = await daemon.events(run_id)
    assert [e["seq"] for e in events] == list(range(len(events)))
    assert len([e for e in events if e["type"] == "token"]) >= 40
    status = await daemon.get(f"/v1/runs/{run_id}")
    assert (status["state"], status["runtime_instance_id"]) == ("succeeded", before["instance_id"])


async def test_a_run_that_ends_while_no_daemon_is_there_is_taken_up_by_the_next(daemon: RunningDaemon) -> None:
    """Its events wait at the instance."""
    run_id = await daemon.submit("wait 1 seconds")
    await daemon.until_event(run_id, "step")
    (instance,) = await daemon.instances()
    endpoint = instance["runtime_api_endpoint"]
    await daemon.kill()
    with anyio.fail_after(20):
        async with httpx.AsyncClient(base_url=endpoint, trust_env=False) as client:
            response = await client.get(f"/v1/runs/{run_id}/events")
            assert "event: final" in response.text
    await daemon.start()
    assert (await daemon.end(run_id))["state"] == "succeeded"


async def test_queued_runs_survive_the_daemon(daemon: RunningDaemon) -> None:
    """What got a 202 is done after the restart, in the same order, once."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    first = await daemon.submit("wait 60 seconds")
    await daemon.until_event(first, "step")
    queued = [await daemon.submit(f"What is {n}+1?") for n in range(5)]
    await daemon.kill()
    await daemon.start()
    assert (await daemon.get(f"/v1/runs/{queued[0]}"))["state"] == "queued"
    await daemon.client.post(f"/v1/runs/{first}:cancel")
    ends = [await daemon.end(run_id) for run_id in queued]
    assert {end["state"] for end in ends} == {"succeeded"}
    starts = [end["started_at"] for end in ends]
    assert starts == sorted(starts)


async def test_an_instance_that_dies_fails_its_runs_and_the_next_run_gets_another(daemon: RunningDaemon) -> None:
    """instance_lost, retryable, with the daemon's last event; its slot is not waited for."""
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    (instance,) = await daemon.instances()
    os.kill(instance["extensions"]["arp.pid"], signal.SIGKILL)
    events = await daemon.events(run_id)
    error = events[-1]["data"]["error"]
    assert (error["code"], error["retryable"]) == ("instance_lost", True)
    assert [e["seq"] for e in events] == list(range(len(events)))
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True
    assert instance["instance_id"] not in [i["instance_id"] for i in await daemon.instances()]


async def test_an_instance_that_died_while_no_daemon_was_there_is_noticed(daemon: RunningDaemon) -> None:
    """Its runs end as instance_lost after the restart; nothing stays running for ever."""
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    (instance,) = await daemon.instances()
    await daemon.kill()
    os.kill(instance["extensions"]["arp.pid"], signal.SIGKILL)
    await daemon.start()
    assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
    assert await daemon.instances() == []


async def test_a_launcher_that_is_killed_takes_its_instances_along_and_is_replaced(daemon: RunningDaemon) -> None:
    """No process of an instance is left, their runs end, and new runs find a new instance."""
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    (instance,) = await daemon.instances()
    process = psutil.Process(instance["extensions"]["arp.pid"])
    os.kill(process.ppid(), signal.SIGKILL)
    assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
    await anyio.to_thread.run_sync(process.wait, 10)
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True


async def test_a_second_daemon_on_the_same_data_dir_refuses_at_once(
    daemon: RunningDaemon, arp_daemon: ForkedCommands
) -> None:
    """It says why and how to go on, and the first one is not disturbed."""
    command = ("serve", "--port", "0", "--data-dir", str(daemon.data_dir))
    second = await arp_daemon.run(*command, cwd=daemon.data_dir)
    assert second.code == 1
    assert "--data-dir" in second.err
    assert (await daemon.get("/v1/health"))["status"] == "ok"


@pytest.mark.own_daemon
async def test_a_stopped_daemon_leaves_no_process(daemon: RunningDaemon) -> None:
    """SIGTERM: exit 0, and the launcher, templates and instances are gone with it."""
    await daemon.end(await daemon.submit("What is 1+1?"))
    processes = daemon.processes()
    assert len(processes) >= 3
    assert await daemon.stop() == 0
    assert [p for p in processes if is_alive(p)] == []
    assert daemon.processes() == []


@pytest.mark.own_daemon
async def test_a_stop_gives_running_work_its_grace(daemon: RunningDaemon) -> None:
    """A run that ends in time ends well; a watcher sees its last event and a clean end of the stream."""
    run_id = await daemon.submit("wait 2 seconds")
    await daemon.until_event(run_id, "step")
    seen: list[str] = []

    async def watch() -> None:
        seen.extend([event["type"] async for event in daemon.follow(run_id)])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await daemon.get("/v1/health")
        daemon.process.terminate()
    assert seen[-1] == "final"


@pytest.mark.own_daemon
async def test_a_stopping_daemon_takes_no_new_runs(daemon: RunningDaemon) -> None:
    """503, retryable, with Retry-After, while what runs goes on."""
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    daemon.process.terminate()
    await daemon.until_stopping()
    response = await daemon.client.post("/v1/runs", json={"input": {"goal": "x"}})
    assert (response.status_code, response.json()["error"]["retryable"]) == (503, True)
    assert response.headers["Retry-After"]
    await daemon.client.post(f"/v1/runs/{run_id}:cancel")


async def test_a_second_signal_gives_up_running_work_at_once(tmp_path: Path) -> None:
    """Whatever the graces: instances are ended, watchers see how their runs ended, and the exit code is 0."""
    async with running_daemon(tmp_path / "data", "--drain-grace-s", "600") as daemon:
        await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, stop_grace_s=600)
        run_id = await daemon.submit("wait 600 seconds")
        await daemon.until_event(run_id, "step")
        processes = daemon.processes()
        seen: list[str] = []

        async def watch() -> None:
            seen.extend([event["data"].get("error", {}).get("code", "") async for event in daemon.follow(run_id)])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            daemon.process.terminate()
            await daemon.until_stopping()
            assert await daemon.stop() == 0
        # Its instance may come to say so itself before it is ended.
        assert seen[-1] in {"interrupted", "instance_lost"}
        assert [p for p in processes if is_alive(p)] == []


async def test_a_record_of_an_earlier_boot_is_never_taken_for_a_live_instance(daemon: RunningDaemon) -> None:
    """The same process id and start time after another boot are another process: nothing is handed to it."""
    created = await daemon.client.post("/v1/instances", json={"runtime_profile": "default"})
    (before,) = created.json()["instances"]
    await daemon.kill()
    async with open_sqlite_store(daemon.data_dir / "daemon.sqlite3") as store:
        (record,) = await store.list_instances()
        facts = {**json.loads(record.body), "boot_id": "00000000-0000-0000-0000-000000000000"}
        await store.put_instance(InstanceRecord(record.instance_id, json.dumps(facts).encode(), record.cursor))
    await daemon.start()
    assert before["instance_id"] not in [i["instance_id"] for i in await daemon.instances()]
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True
    (after,) = await daemon.instances()
    assert after["extensions"]["arp.pid"] != before["extensions"]["arp.pid"]


async def test_a_registered_runtime_is_found_again_and_there_is_one_of_it(daemon: RunningDaemon) -> None:
    """Silent at the restart it is shown as an error; registered anew it is one, also after the next restart."""
    async with running_runtime() as runtime:
        port, body = int(runtime.base_url.rpartition(":")[2]), {"runtime_api_endpoint": runtime.base_url}
        assert (await daemon.client.post("/v1/instances:register", json=body)).is_success
        await daemon.kill()
        await runtime.stop()
    await daemon.start()
    assert [i["state"] for i in await daemon.instances()] == ["error"]
    async with running_runtime(port=port):
        assert (await daemon.client.post("/v1/instances:register", json=body)).is_success
        assert [i["state"] for i in await daemon.instances()] == ["ready"]
        await daemon.kill()
        await daemon.start()
        assert [i["state"] for i in await daemon.instances()] == ["ready"]
