"""Control groups: found on any machine, made for each instance, and the end of whatever hides."""

from __future__ import annotations

import json
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_daemon.launcher.cgroup_places import find_places, own_groups
from arp_daemon.launcher.paths import launcher_id
from daemon.launcher.scene import (
    SOON,
    WAYS,
    Way,
    ask,
    find_controllers,
    groups_of,
    launcher_without_groups,
    living,
    running_launcher,
    spec,
    until_dead,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from arp_daemon.launcher import Launched, LauncherClient

    Start = Callable[[Path], AbstractAsyncContextManager[LauncherClient]]

needs_groups = pytest.mark.skipif(find_controllers() is None, reason="no control group may be made here")

_V2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate"
_HYBRID = """\
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"""


@pytest.mark.parametrize(
    ("mountinfo", "own", "expected"),
    [
        (_V2, "0::/system.slice/arp.service", {"": "/sys/fs/cgroup/system.slice/arp.service"}),
        (_V2, "0::/", {"": "/sys/fs/cgroup"}),
        (
            _HYBRID,
            "8:pids:/a\n1:cpu,cpuacct:/b\n0::/c",
            {
                "pids": "/sys/fs/cgroup/pids/a",
                "cpu": "/sys/fs/cgroup/cpu,cpuacct/b",
                "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/b",
                "": "/sys/fs/cgroup/unified/c",
            },
        ),
        # A container that sees its own part of the hierarchy alone, by its whole name.
        (_V2.replace("0:28 / ", "0:28 /docker/1 "), "0::/docker/1/x", {"": "/sys/fs/cgroup/x"}),
        (_V2.replace("0:28 / ", "0:28 /docker/1 "), "0::/elsewhere", {}),
        ("", "0::/", {}),
        (_V2, "", {}),
    ],
)
def test_the_own_group_is_found_in_every_hierarchy(mountinfo: str, own: str, expected: dict[str, str]) -> None:
    """cgroups(7): version 2 alone, both side by side, containers, and machines without."""
    assert own_groups(mountinfo, own) == {name: Path(folder) for name, folder in expected.items()}


@needs_groups
@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_has_a_group_of_its_own_until_its_end(tmp_path: Path, way: Way) -> None:
    """It is in it before its program runs, and nothing is left of the group afterwards."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "echo", way=way))
        await ask(launched)
        folders = groups_of(tmp_path)
        for folder in folders:
            (group,) = [entry for entry in folder.iterdir() if entry.is_dir()]
            assert str(launched.pid) in (group / "cgroup.procs").read_text().split()
        with anyio.fail_after(SOON):
            await launcher.stop("i1")
        assert not any(entry.is_dir() for folder in folders for entry in folder.iterdir())
        await launcher.shutdown(0.0)
        await until_dead(launcher.launcher_pid)
        assert folders
        assert not any(folder.exists() for folder in folders)


@asynccontextmanager
async def _hiding(launched: Launched) -> AsyncIterator[list[int]]:
    """The pids of what hides; the root ends when this is left."""
    assert launched.port is not None
    async with await anyio.connect_tcp("127.0.0.1", launched.port) as stream:
        yield json.loads(await stream.receive())["brood"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("start", [running_launcher, launcher_without_groups])
async def test_what_hides_dies_with_its_instance(tmp_path: Path, way: Way, start: Start) -> None:
    """Double fork, a session of its own and no mark do not help: when the root is stopped, and when it just ends."""
    async with start(tmp_path) as launcher:
        async with _hiding(await launcher.launch(spec("i1", "hide", way=way))) as brood:
            with anyio.fail_after(SOON):
                await launcher.stop("i1")
            assert living(brood) == []
        async with _hiding(await launcher.launch(spec("i2", "hide", way=way))) as brood:
            pass
        with anyio.fail_after(SOON):
            ends = [(await anext(launcher.exits())).instance_id for _ in range(2)]
        assert ends == ["i1", "i2"]
        assert living(brood) == []


@needs_groups
@pytest.mark.parametrize("way", WAYS)
async def test_what_hides_is_swept_when_its_launcher_was_killed(tmp_path: Path, way: Way) -> None:
    """Without a mark and below nobody, it is its group that gives it away."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "hide", way=way))
        async with _hiding(launched) as brood:
            os.kill(launcher.launcher_pid, signal.SIGKILL)
            await until_dead(launched.pid)
        assert living(brood) == brood
        async with running_launcher(tmp_path):
            assert living(brood) == []


@needs_groups
async def test_groups_of_a_launcher_that_was_in_another_group_are_swept_as_well(tmp_path: Path) -> None:
    """A daemon is started from another terminal, or by a service manager now: where its groups are is recorded."""
    elsewhere = [place.folder for place in find_places(f"arp-elsewhere-{os.getpid()}")]
    group = elsewhere[0] / f"arp-{launcher_id(tmp_path)}" / "1-i1"
    group.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "cgroups").write_text(f"{group.parent}\n")
    async with await anyio.open_process(["/bin/sleep", "1000"]) as process:
        (group / "cgroup.procs").write_text(str(process.pid))
        async with running_launcher(tmp_path):
            with anyio.fail_after(SOON):
                assert await process.wait() == -signal.SIGKILL
            assert not group.parent.exists()
    for folder in elsewhere:
        folder.rmdir()
