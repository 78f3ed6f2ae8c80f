"""The pool heals itself, and no run is forgotten meanwhile."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import psutil

from support.waiting import until, until_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.daemon import RunningDaemon

_PLAIN = Path(__file__).parent.parent / "support" / "bestiary" / "plain_runtime.py"


_DEAF = """
import os, time
from pathlib import Path

def agent(context):
    context.step("begun")
    if context.goal == "deaf":
        time.sleep(1000)
    while context.goal == "wait for the file" and not Path("file").exists():
        time.sleep(0.02)
    return {"pid": os.getpid()}
"""


async def _until(daemon: RunningDaemon, holds: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Wait until the instances are as they should be."""
    return await until_answer(daemon.instances, holds)


def _ids(instances: list[dict[str, Any]]) -> set[str]:
    return {instance["instance_id"] for instance in instances}


def _kill(instance: dict[str, Any], signum: int = signal.SIGKILL) -> None:
    with suppress(ProcessLookupError):  # it died of itself, and nobody has noticed yet
        os.kill(instance["extensions"]["arp.pid"], signum)


async def test_a_profile_has_its_minimum_from_the_start_and_again_after_a_crash(daemon: RunningDaemon) -> None:
    """`min` instances, without any run; a killed one is replaced."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", min=2, max=2)
    first, second = await _until(daemon, lambda found: [i["state"] for i in found] == ["ready"] * 2)
    _kill(first)
    after = await _until(
        daemon,
        lambda found: (
            [i["state"] for i in found] == ["ready"] * 2
            and first["instance_id"] not in [i["instance_id"] for i in found]
        ),
    )
    assert second["instance_id"] in [i["instance_id"] for i in after]


async def test_an_instance_that_a_client_created_is_replaced_and_one_that_it_deleted_is_not(
    daemon: RunningDaemon,
) -> None:
    """What was asked for is kept up until it is deleted."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1)
    created = await daemon.client.post("/v1/instances", json={"runtime_profile": "default"})
    (instance,) = created.json()["instances"]
    _kill(instance)
    (other,) = await _until(
        daemon,
        lambda found: [i["state"] for i in found] == ["ready"] and found[0]["instance_id"] != instance["instance_id"],
    )
    assert (await daemon.client.delete(f"/v1/instances/{other['instance_id']}")).status_code == 204
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True


async def test_an_idle_instance_is_stopped_and_a_run_starts_another(daemon: RunningDaemon) -> None:
    """Down to zero, and up again on demand."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, idle_timeout_s=0.2)
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True
    await _until(daemon, lambda found: found == [])
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True


async def test_a_hung_instance_is_noticed_and_replaced(daemon: RunningDaemon) -> None:
    """SIGSTOP: it does not answer; its run is lost, its process ends, another one takes its place. It gets no grace."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", min=1, max=1, stop_grace_s=300)
    (instance,) = await _until(daemon, lambda found: [i["state"] for i in found] == ["ready"])
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    process = psutil.Process(instance["extensions"]["arp.pid"])
    _kill(instance, signal.SIGSTOP)
    assert (await daemon.result(run_id))["error"]["code"] == "instance_lost"
    await anyio.to_thread.run_sync(process.wait, 10)
    await _until(
        daemon,
        lambda found: [i["state"] for i in found] == ["ready"] and found[0]["instance_id"] != instance["instance_id"],
    )


async def test_an_instance_whose_work_cannot_be_stopped_is_replaced(daemon: RunningDaemon, tmp_path: Path) -> None:
    """A thread goes on after its run was canceled: what else the instance has may end, then another takes its place."""
    (tmp_path / "deaf.py").write_text(_DEAF)
    exec_ = {"driver": "runtime", "template": "arp_runtime.cli:main", "max": 2, "working_directory": str(tmp_path)}
    profile = {
        "extensions": {"arp.exec": {**exec_, "agent": "./deaf.py:agent"}},
        "defaults": {"args": ["--cancel-grace-s", "0.2", "--max-concurrent-runs", "2"]},
    }
    assert (await daemon.client.put("/v1/admin/runtime-profiles/default", json=profile)).is_success
    deaf = await daemon.submit("deaf")
    await daemon.until_event(deaf, "step")
    (instance,) = await daemon.instances()
    assert instance["extensions"]["arp.concurrency"] == 2
    other = await daemon.submit("wait for the file")
    await daemon.until_event(other, "step")
    await daemon.client.post(f"/v1/runs/{deaf}:cancel")
    assert (await daemon.result(deaf))["extensions"] == {"arp.abandoned": True}
    found = await daemon.result(await daemon.submit("who are you?"))
    assert found["output"]["pid"] != instance["extensions"]["arp.pid"]
    (tmp_path / "file").touch()
    assert (await daemon.result(other))["output"] == {"pid": instance["extensions"]["arp.pid"]}
    await _until(daemon, lambda found: instance["instance_id"] not in _ids(found))


async def test_a_profile_whose_instances_keep_crashing_is_given_up_with_the_reason(daemon: RunningDaemon) -> None:
    """After five crashes in a minute: an instance in state error, with its last words. A new version tries again."""
    crash = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    await daemon.put_profile("crashing", driver="command", command=crash, min=1)
    (broken,) = await _until(daemon, lambda found: [i["state"] for i in found] == ["error"])
    error = broken["extensions"]["arp.error"]
    assert "exited with code 1" in error["reason"]
    assert "no such model" in error["stderr_tail"]
    run_id = await daemon.submit("x", runtime_selector={"runtime_profile": "crashing"})
    assert (await daemon.result(run_id))["error"]["code"] == "instance_start_failed"
    await daemon.put_profile("crashing", driver="runtime", template="arp_runtime.cli:main")
    again = await daemon.submit("What is 1+1?", runtime_selector={"runtime_profile": "crashing"})
    assert (await daemon.result(again))["ok"] is True


async def test_no_run_is_forgotten_when_instances_die_under_load(daemon: RunningDaemon) -> None:
    """Every accepted run ends, whatever the kill interrupted, and no slot leaks."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=2, concurrency=8)
    run_ids: list[str] = []

    async def submit() -> None:
        run_ids.extend([await daemon.submit("count to 3") for _ in range(20)])

    for _ in range(2):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(submit)
            found = await _until(daemon, lambda found: any(i["state"] in {"ready", "busy"} for i in found))
            _kill(next(i for i in found if i["state"] in {"ready", "busy"}))
    states = {(await daemon.end(run_id))["state"] for run_id in run_ids}
    assert states <= {"succeeded", "failed"}
    await _until(daemon, lambda found: sum(i["extensions"]["arp.runs"] for i in found) == 0)


async def test_queued_runs_outlive_the_launcher(daemon: RunningDaemon) -> None:
    """The launcher is killed while runs wait: the next launcher's instances do them."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    first = await daemon.submit("wait 60 seconds")
    await daemon.until_event(first, "step")
    queued = [await daemon.submit("What is 1+1?") for _ in range(3)]
    (instance,) = await daemon.instances()
    os.kill(psutil.Process(instance["extensions"]["arp.pid"]).ppid(), signal.SIGKILL)
    assert (await daemon.result(first))["error"]["code"] == "instance_lost"
    assert [(await daemon.result(run_id))["ok"] for run_id in queued] == [True] * 3


async def test_a_launchers_deaths_are_not_held_against_its_profiles(daemon: RunningDaemon) -> None:
    """Five instances die with launchers, which is no fault of theirs: their profile goes on, with its minimum."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", min=2, max=2)
    for _ in range(3):
        found = await _until(daemon, lambda found: [i["state"] for i in found] == ["ready"] * 2)
        os.kill(psutil.Process(found[0]["extensions"]["arp.pid"]).ppid(), signal.SIGKILL)
        await _until(daemon, lambda now, before=found: not _ids(now) & _ids(before))  # type: ignore[misc]
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True


async def test_an_instance_that_was_starting_when_the_launcher_died_is_started_by_the_next(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    """Nobody waits for its start timeout: the process is gone, and the run that needs it is served."""
    script = (
        "import os, sys, time; marker, host, port = sys.argv[1:]; first = not os.path.exists(marker)\n"
        "open(marker, 'w').close(); time.sleep(600 if first else 0)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'arp_runtime', 'serve', '--host', host, '--port', port])"
    )
    marker = tmp_path / "started"
    command = [sys.executable, "-c", script, str(marker), "{host}", "{port}"]
    await daemon.put_profile(driver="command", command=command, start_timeout_s=300)
    run_id = await daemon.submit("What is 1+1?")
    await until(marker.exists)
    (starting,) = (p for p in daemon.processes() if str(marker) in p.cmdline())
    os.kill(starting.ppid(), signal.SIGKILL)
    assert (await daemon.result(run_id))["ok"] is True


async def test_a_run_that_waits_for_an_instance_that_is_gone_is_told_so(daemon: RunningDaemon) -> None:
    """It asked for that one, has no slot yet, and does not wait for ever for what can never come."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    first = await daemon.submit("wait 60 seconds")
    await daemon.until_event(first, "step")
    (instance,) = await daemon.instances()
    pinned = await daemon.submit("x", runtime_selector={"instance_id": instance["instance_id"]})
    assert (await daemon.get(f"/v1/runs/{pinned}"))["state"] == "queued"
    _kill(instance)
    assert (await daemon.result(first))["error"]["code"] == "instance_lost"
    assert (await daemon.result(pinned))["error"]["code"] == "instance_not_found"


async def test_a_stop_leaves_queued_runs_to_the_next_daemon(daemon: RunningDaemon) -> None:
    """A slot that frees during the stop is not given away; after the next start the run is done."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    first = await daemon.submit("wait 2 seconds")
    await daemon.until_event(first, "step")
    queued = await daemon.submit("What is 1+1?")
    assert await daemon.stop() == 0
    await daemon.start()
    assert (await daemon.get(f"/v1/runs/{first}"))["state"] == "succeeded"
    assert (await daemon.result(queued))["ok"] is True


async def test_an_instance_that_is_deleted_while_it_starts_does_not_come_to_life(daemon: RunningDaemon) -> None:
    """The request that created it is told, and nothing is left."""
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    await daemon.put_profile("slow", driver="command", command=slow)
    async with anyio.create_task_group() as tasks:

        async def create() -> None:
            response = await daemon.client.post("/v1/instances", json={"runtime_profile": "slow"})
            assert response.json()["error"]["code"] == "instance_start_failed"

        tasks.start_soon(create)
        (starting,) = await _until(daemon, lambda found: [i["state"] for i in found] == ["starting"])
        assert (await daemon.client.delete(f"/v1/instances/{starting['instance_id']}")).status_code == 204
    assert await daemon.instances() == []


async def _until_only(
    daemon: RunningDaemon, names: set[str], other_than: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Wait until these profiles, and no others, have an instance each, ready and none of the old ones."""
    old = {i["instance_id"] for i in other_than.values()}
    found = await _until(
        daemon,
        lambda found: (
            [i["runtime_profile"] for i in sorted(found, key=lambda i: i["runtime_profile"])] == sorted(names)
            and all(i["state"] == "ready" and i["instance_id"] not in old for i in found)
        ),
    )
    return {i["runtime_profile"]: i for i in found}


async def test_what_ends_by_itself_is_replaced_as_its_profile_says(daemon: RunningDaemon) -> None:
    """Exit code 0 is replaced by `always` alone, a signal by all but `never`; a profile put anew starts anew."""
    ours = {"driver": "runtime", "template": "arp_runtime.cli:main", "min": 1}
    policies = {"always", "unexpected", "never"}
    for policy in policies:
        await daemon.put_profile(policy, **ours, restart=policy)
    first = await _until_only(daemon, policies, other_than={})
    for instance in first.values():
        _kill(instance, signal.SIGTERM)  # our runtime ends with code 0
    await _until_only(daemon, {"always"}, other_than=first)
    await daemon.put_profile("unexpected", **ours, restart="unexpected")
    assert (await daemon.client.delete("/v1/admin/runtime-profiles/never")).status_code == 204
    await daemon.put_profile("never", **ours, restart="never")
    second = await _until_only(daemon, policies, other_than=first)
    for instance in second.values():
        _kill(instance)
    await _until_only(daemon, policies - {"never"}, other_than=second)


async def test_an_instance_is_not_idle_while_a_run_waits_for_it(daemon: RunningDaemon) -> None:
    """A runtime that is busy refuses runs; they are queued again, and it is not stopped under them."""
    command = [sys.executable, str(_PLAIN), "{host}", "{port}"]
    await daemon.put_profile(driver="command", command=command, max=1, idle_timeout_s=0.1)
    run_id = await daemon.submit("later")
    assert (await daemon.result(run_id))["output"] == {"echo": "later"}
    trace = await daemon.get(f"/v1/runs/{run_id}/trace")
    tried = [event["data"]["instance_id"] for event in trace["events"] if event["type"] == "run.dispatched"]
    assert len(tried) == 5
    assert len(set(tried)) == 1
