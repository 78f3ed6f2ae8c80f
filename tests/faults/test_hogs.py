"""Agents that take what they can get: processes, memory, the disk. Others go on, and nothing is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from daemon.launcher.scene import find_controllers
from faults.leaks import processes_of
from faults.repetitions import times
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.scene import Scene

PROCESSES = 50
MEMORY_MIB = 256
# Of each stream, 1 to 2 MiB are kept.
KEPT_BYTES = 2 * 2 * 1024**2


@pytest.mark.skipif("pids" not in (find_controllers() or ()), reason="no pids cgroup may be made here")
async def test_a_fork_bomb_gets_as_far_as_its_limit_and_is_cleared_away(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Others are served meanwhile; when its instance is deleted, all of it is gone."""
    rounds, most = times(10, 1), 0
    await scene.put_agent("noted", profile="good")
    for number in range(rounds):
        profile = f"bomb-{number}"
        await scene.put_agent("bombing", profile=profile, limits={"processes": PROCESSES}, stop_grace_s=0.1)
        bomb = await scene.daemon.submit("x", runtime_selector={"runtime_profile": profile})
        await scene.daemon.until_event(bomb, "step")
        (instance,) = [i for i in await scene.daemon.instances() if i["runtime_profile"] == profile]
        assert instance["extensions"]["arp.limits"]["processes"]["by"] == "cgroup"
        root = psutil.Process(instance["extensions"]["arp.pid"])
        # Threads count as well: the runtime's own leave that much less for the bomb.
        await until(lambda: len(root.children(recursive=True)) > PROCESSES // 2)  # noqa: B023 - awaited here
        most = max(most, len(root.children(recursive=True)))
        good = await scene.daemon.submit("good-1", runtime_selector={"runtime_profile": "good"})
        assert (await scene.daemon.result(good))["ok"] is True
        assert (await scene.daemon.client.delete(f"/v1/instances/{instance['instance_id']}")).status_code == 204
        assert not [p for p in processes_of(scene.daemon.data_dir) if p.pid == root.pid or root.pid in _parents(p)]
        assert (await scene.daemon.result(bomb))["ok"] is False
    assert most < PROCESSES
    tell("fork bomb", f"{rounds} bombs, held at {most} of {PROCESSES} processes; all gone, others served")


async def test_an_agent_that_takes_too_much_memory_loses_its_run_and_nobody_else_does(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Over its limit it is refused more, or its instance is killed: its run fails, and the next one is done."""
    await scene.put_agent("hogging", profile="hog", limits={"memory_mib": MEMORY_MIB})
    await scene.put_agent("noted", profile="good")
    selector, rounds = {"runtime_profile": "hog"}, times(20)
    for number in range(rounds):
        hog = await scene.daemon.submit(str(4 * MEMORY_MIB), runtime_selector=selector)
        good = await scene.daemon.submit(f"good-{number}", runtime_selector={"runtime_profile": "good"})
        assert (await scene.daemon.result(hog))["error"]["code"] in {"agent_error", "instance_lost"}
        assert (await scene.daemon.result(good))["ok"] is True
        if number % 4 == 3:  # an instance that is killed five times in a minute is given up
            await scene.put_agent("hogging", profile="hog", limits={"memory_mib": MEMORY_MIB}, max_queued=1000 + number)
    modest = await scene.daemon.submit("10", runtime_selector=selector)
    assert (await scene.daemon.result(modest))["output"]["answer"] == "had 10 MiB"
    tell("memory hog", f"{rounds} runs that want {4 * MEMORY_MIB} of {MEMORY_MIB} MiB: each failed alone")


async def test_an_agent_that_floods_its_logs_fills_no_disk_and_holds_up_nobody(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """What is kept is bounded; the run is done, if more slowly, and others meanwhile."""
    await scene.put_agent("logging", profile="flood")
    await scene.put_agent("noted", profile="good")
    kilobytes = times(200, 4) * 1000
    flood = await scene.daemon.submit(str(kilobytes), runtime_selector={"runtime_profile": "flood"})
    good = await scene.daemon.submit("good-1", runtime_selector={"runtime_profile": "good"})
    assert (await scene.daemon.result(good))["ok"] is True
    assert (await scene.daemon.result(flood))["output"]["answer"] == "said all"
    (instance,) = [i for i in await scene.daemon.instances() if i["runtime_profile"] == "flood"]
    logs = scene.daemon.data_dir / "logs" / instance["instance_id"]
    kept = sum(path.stat().st_size for path in logs.iterdir())
    assert kept <= KEPT_BYTES
    shown = await scene.daemon.client.get(f"/v1/instances/{instance['instance_id']}/logs", params={"lines": 3})
    assert shown.text == ("x" * 1023 + "\n") * 3
    tell("log flood", f"{2 * kilobytes / 1000:.0f} MB written, {kept / 1e6:.1f} MB kept; the run succeeded")


def _parents(process: psutil.Process) -> list[int]:
    try:
        return [parent.pid for parent in process.parents()]
    except psutil.NoSuchProcess:
        return []
