"""Stopping: asked first, then sure, and nothing left of the tree."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from arp_daemon.launcher import Exited, InstanceRecord, LauncherStoppingError, LaunchSpec
from daemon.launcher.scene import SOON, WAYS, Way, ask, living, running_launcher, spec, until_dead

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_that_obeys_is_only_asked(tmp_path: Path, way: Way) -> None:
    """Design: SIGTERM comes first, and a whole grace is not waited for."""
    async with running_launcher(tmp_path) as launcher:
        await ask(await launcher.launch(spec("i1", "echo", way=way)))
        with anyio.fail_after(SOON):
            exited = await launcher.stop("i1", grace_s=1000)
    assert exited == Exited(instance_id="i1", signal=signal.SIGTERM)


@pytest.mark.parametrize("way", WAYS)
async def test_a_deaf_instance_dies_with_its_whole_brood(tmp_path: Path, way: Way) -> None:
    """Promise: an instance and all that it forked die together, sessions and double forks notwithstanding."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "deaf", way=way))
        brood = (await ask(launched))["brood"]
        assert living(brood) == brood
        with anyio.fail_after(SOON):
            exited = await launcher.stop("i1", grace_s=0.05)
        assert living((launched.pid, *brood)) == []
    assert exited == Exited(instance_id="i1", signal=signal.SIGKILL)


@pytest.mark.parametrize("way", WAYS)
async def test_what_an_instance_leaves_behind_is_killed_before_its_exit_is_told(tmp_path: Path, way: Way) -> None:
    """Promise: no orphan after any death; an exit that is heard of means that nothing is left."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "parent", way=way))
        [child] = (await ask(launched))["brood"]
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
        assert not psutil.pid_exists(child)
    assert exited == Exited(instance_id="i1", exit_code=3)


async def test_a_killed_instance_takes_its_brood_along(tmp_path: Path) -> None:
    """Promise: the same when the root is killed from outside."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "deaf"))
        brood = (await ask(launched))["brood"]
        await launcher.signal("i1", signal.SIGKILL)
        for pid in brood:
            await until_dead(pid)
        with anyio.fail_after(SOON):
            assert await anext(launcher.exits()) == Exited(instance_id="i1", signal=signal.SIGKILL)


async def test_an_instance_that_keeps_forking_is_ended(tmp_path: Path) -> None:
    """Promise: a tree that grows while it is being killed still ends, because it is stopped first."""
    code = (
        "import os, signal, socket, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        # Should it ever get away from its test, it ends by itself.
        "end = time.monotonic() + 30\n"
        "if os.fork():\n"
        "    socket.socket(fileno=3).accept()[0].close()\n"
        "    signal.pause()\n"
        # A chain of double forks: each lives for a moment, so there is always a newer one.
        "while time.monotonic() < end:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    if os.fork(): os._exit(0)\n"
    )
    async with running_launcher(tmp_path) as launcher:
        argv = [sys.executable, "-c", code]
        launched = await launcher.launch(LaunchSpec(instance_id="i1", argv=argv, env={}, listen="fd"))
        with anyio.fail_after(SOON):
            async with await anyio.connect_tcp("127.0.0.1", launched.port or 0) as stream:
                with pytest.raises(anyio.EndOfStream):
                    await stream.receive()
            exited = await launcher.stop("i1", grace_s=0.0)
        assert psutil.Process(launcher.launcher_pid).children(recursive=True) == []
    assert exited.signal == signal.SIGKILL


async def test_a_stop_is_answered_as_it_ended_ever_after(tmp_path: Path) -> None:
    """A stop can be repeated, by a daemon that does not know whether its first one arrived."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "fail", "7", "because", listen=None))
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
        assert exited == Exited(instance_id="i1", exit_code=7, stderr_tail="because\n")
        assert await launcher.stop("i1") == exited
        assert await launcher.stop("i1") == exited
        assert await launcher.list() == [InstanceRecord(launched, exited)]


async def test_a_second_stop_with_less_grace_hurries_the_first(tmp_path: Path) -> None:
    """An operator who asks twice does not wait for the first grace."""
    async with running_launcher(tmp_path) as launcher:
        await ask(await launcher.launch(spec("i1", "deaf")))
        ends: list[Exited] = []

        async def stop(grace_s: float) -> None:
            ends.append(await launcher.stop("i1", grace_s))

        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(stop, 1000)
                tasks.start_soon(stop, 0)
        assert ends[0] == ends[1]


async def test_a_stop_of_what_is_just_being_launched_stops_it(tmp_path: Path) -> None:
    """A daemon that gives up waiting for a launch leaves no instance that it does not know of."""
    async with running_launcher(tmp_path) as launcher:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(launcher.launch, spec("i1", "echo", way="template"))
            await anyio.lowlevel.checkpoint()
            # Answered after the launch was taken up.
            assert await launcher.list() == []
            tasks.cancel_scope.cancel()
        with anyio.fail_after(SOON):
            exited = await launcher.stop("i1")
        assert exited.instance_id == "i1"
        assert [record.exited for record in await launcher.list()] == [exited]


async def test_shutdown_stops_everything_and_ends_the_launcher(tmp_path: Path) -> None:
    """Design: all instances stop in parallel, and neither process nor socket is left."""
    async with running_launcher(tmp_path) as launcher:
        pids = [(await launcher.launch(spec(f"i{n}", "echo", way=way))).pid for n, way in enumerate(WAYS)]
        deaf = await launcher.launch(spec("deaf", "deaf"))
        pids += [deaf.pid, *(await ask(deaf))["brood"]]
        with anyio.fail_after(SOON):
            await launcher.shutdown(grace_s=0.05)
            ended = {exited.instance_id async for exited in launcher.exits()}
        await until_dead(launcher.launcher_pid)
        assert living(pids) == []
    assert ended == {"i0", "i1", "deaf"}
    assert not (tmp_path / "run" / "launcher.sock").exists()


async def test_sigterm_ends_the_launcher_in_order_and_a_second_one_hurries(tmp_path: Path) -> None:
    """Design: SIGTERM means shutdown with each spec's grace; again, and there is no grace left."""
    async with running_launcher(tmp_path) as launcher:
        obeying = await launcher.launch(spec("obeying", "echo"))
        await ask(obeying)
        deaf = await launcher.launch(spec("deaf", "deaf", stop_grace_s=1000))
        brood = (await ask(deaf))["brood"]
        process = psutil.Process(launcher.launcher_pid)
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(SOON):
            assert (await anext(launcher.exits())).instance_id == "obeying"
        with pytest.raises(LauncherStoppingError):
            await launcher.launch(spec("late", "echo"))
        process.send_signal(signal.SIGTERM)
        await until_dead(launcher.launcher_pid)
        assert living((obeying.pid, deaf.pid, *brood)) == []
