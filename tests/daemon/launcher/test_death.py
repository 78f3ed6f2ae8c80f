"""A launcher that dies takes its instances along, and the next one clears up."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from arp_daemon.launcher import LauncherGoneError, LaunchSpec
from arp_service.processes import find_marked
from daemon.launcher.scene import SOON, WAYS, Way, ask, living, running_launcher, spec, until_dead

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("way", WAYS)
async def test_instances_die_with_a_killed_launcher(tmp_path: Path, way: Way) -> None:
    """Promise: no orphan after any death of the launcher: roots, templates and all."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "echo", way=way))
        await ask(launched)
        below = psutil.Process(launcher.launcher_pid).children()
        os.kill(launcher.launcher_pid, signal.SIGKILL)
        for process in below:
            await until_dead(process.pid)
    assert launched.pid in [process.pid for process in below]
    assert find_marked("ARP_LAUNCHER_ID", launcher.launcher_id) == []


@pytest.mark.parametrize("way", WAYS)
async def test_the_next_launcher_sweeps_what_a_killed_one_left(tmp_path: Path, way: Way) -> None:
    """Promise: what a parent-death signal spares (grandchildren) is gone before anything new is started."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "deaf", way=way))
        brood = (await ask(launched))["brood"]
        os.kill(launcher.launcher_pid, signal.SIGKILL)
        await until_dead(launched.pid)
        assert living(brood) == brood
    async with running_launcher(tmp_path) as successor:
        assert living(brood) == []
        assert await successor.list() == []
    assert successor.launcher_pid != launcher.launcher_pid


async def test_a_launcher_of_another_data_dir_sweeps_nothing_of_this_one(tmp_path: Path) -> None:
    """Two daemons on one machine do not see each other's processes."""
    async with running_launcher(tmp_path / "one") as one:
        launched = await one.launch(spec("i1", "echo"))
        async with running_launcher(tmp_path / "two"):
            assert (await ask(launched))["pid"] == launched.pid


async def test_calls_and_exits_end_when_the_launcher_dies(tmp_path: Path) -> None:
    """Design: pending and later calls raise LauncherGoneError, and the iteration over exits ends."""
    async with running_launcher(tmp_path) as launcher:
        await ask(await launcher.launch(spec("i1", "deaf")))

        async def stop() -> None:
            with pytest.raises(LauncherGoneError):
                await launcher.stop("i1", grace_s=1000)

        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stop)
                await launcher.list()
                os.kill(launcher.launcher_pid, signal.SIGKILL)
                assert [exited async for exited in launcher.exits()] == []
        with pytest.raises(LauncherGoneError):
            await launcher.list()
    async with running_launcher(tmp_path):
        pass


async def test_a_stopped_launcher_is_told_from_a_dead_one(tmp_path: Path) -> None:
    """Its connection stays, so only the caller's bound ends a call; the launcher goes on when it is continued."""
    async with running_launcher(tmp_path) as launcher:
        process = psutil.Process(launcher.launcher_pid)
        process.suspend()
        with anyio.move_on_after(0.05) as scope:
            await launcher.list()
        process.resume()
        assert scope.cancelled_caught
        assert await launcher.list() == []


async def test_the_launcher_has_one_thread(tmp_path: Path) -> None:
    """Trap: the parent-death signal fires when the thread that forked ends, so there is but one."""
    async with running_launcher(tmp_path) as launcher:
        for way in WAYS:
            await launcher.launch(spec(way, "echo", way=way))
        assert psutil.Process(launcher.launcher_pid).num_threads() == 1


async def test_a_grandchild_that_hides_its_mark_still_dies_with_its_instance(tmp_path: Path) -> None:
    """The mark is only for sweeping; while the launcher lives, the tree itself is what counts."""
    code = (
        "import subprocess, sys, socket, json\n"
        "child = subprocess.Popen(['/bin/sleep', '1000'], env={}, start_new_session=True)\n"
        "c, _ = socket.socket(fileno=3).accept()\n"
        "c.sendall(json.dumps({'child': child.pid}).encode()); c.close()\n"
        "import signal; signal.pause()\n"
    )
    async with running_launcher(tmp_path) as launcher:
        argv = [sys.executable, "-c", code]
        launched = await launcher.launch(LaunchSpec(instance_id="i1", argv=argv, env={}, listen="fd"))
        child = (await ask(launched))["child"]
        with anyio.fail_after(SOON):
            await launcher.stop("i1")
        assert not psutil.pid_exists(child)
