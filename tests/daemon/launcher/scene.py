"""What tests of the launcher share: a launcher of their own, specs for the bestiary, and how to see a death."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio

from arp_daemon.launcher import Launched, LauncherClient, LauncherGoneError, LaunchSpec, open_launcher
from arp_daemon.launcher.cgroup_places import find_places
from arp_service.processes import read_stat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

Way = Literal["exec", "template"]
WAYS: list[Way] = ["exec", "template"]
BESTIARY = Path(__file__).with_name("bestiary.py")
# Bounds a wait for a fact that comes in milliseconds; two busy cores make it seconds.
SOON = 20.0


def spec(instance_id: str, *words: str, way: Way = "exec", **settings: Any) -> LaunchSpec:
    """A launch of one of the bestiary, listening on a socket that it is given unless told otherwise."""
    program = ["bestiary"] if way == "template" else [sys.executable, str(BESTIARY)]
    template = "bestiary:main" if way == "template" else None
    settings = {"listen": "fd", "env": {}, **settings}
    return LaunchSpec(instance_id=instance_id, argv=[*program, *words], template=template, **settings)


@asynccontextmanager
async def running_launcher(data_dir: Path, lease_s: float = 60.0) -> AsyncIterator[LauncherClient]:
    """A launcher that is gone when the test is over, whatever happens in it."""
    async with open_launcher(data_dir, lease_s=lease_s) as launcher:
        try:
            yield launcher
        finally:
            with anyio.fail_after(SOON, shield=True), suppress(LauncherGoneError):
                await launcher.shutdown(0.0)
            with anyio.fail_after(SOON, shield=True):
                await until_dead(launcher.launcher_pid)
            remove_groups(data_dir)


@asynccontextmanager
async def launcher_without_groups(data_dir: Path) -> AsyncIterator[LauncherClient]:
    """A launcher as on a machine where it may make no control groups."""
    code = "from arp_daemon.launcher import __main__, cgroups; cgroups.find_places = lambda _: []; __main__.main()"
    async with await anyio.open_process([sys.executable, "-c", code, "--data-dir", str(data_dir)]) as process:
        with anyio.fail_after(SOON):
            assert process.stderr is not None
            said = b""
            while b"listens" not in said:
                said += await process.stderr.receive()
        async with running_launcher(data_dir) as launcher:
            assert launcher.launcher_pid == process.pid
            yield launcher


async def ask(launched: Launched) -> dict[str, Any]:
    """The facts that a listening beast tells of itself."""
    with anyio.fail_after(SOON):
        async with await connect(launched) as stream:
            said = b"".join([part async for part in stream])
    facts: dict[str, Any] = json.loads(said)
    return facts


async def connect(launched: Launched) -> anyio.abc.SocketStream:
    """A connection to where an instance listens."""
    if launched.path is not None:
        return await anyio.connect_unix(launched.path)
    assert launched.host is not None
    assert launched.port is not None
    return await anyio.connect_tcp(launched.host, launched.port)


def living(pids: Iterable[int]) -> list[int]:
    """Those that run. A zombie does not: an orphan's is for init to reap, in its own time."""
    return [pid for pid in pids if (stat := read_stat(pid)) and stat.is_living]


async def until_dead(pid: int) -> None:
    """Wait, bounded, until no process with this pid runs."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with anyio.fail_after(SOON):
            await anyio.wait_readable(fd)
    finally:
        os.close(fd)


def groups_of(data_dir: Path) -> list[Path]:
    """The folders below which the launcher of a data dir makes control groups; none where it may not."""
    return [Path(line) for line in (data_dir / "run" / "cgroups").read_text().splitlines()]


def remove_groups(data_dir: Path) -> None:
    """Clear up after a launcher that was killed, and has no successor."""
    for folder in groups_of(data_dir):
        with suppress(FileNotFoundError, OSError):
            for group in folder.iterdir():
                if group.is_dir():
                    group.rmdir()
            folder.rmdir()


def find_controllers() -> frozenset[str] | None:
    """What control groups can limit on this machine; None where a launcher may make none."""
    places = find_places(f"arp-look-{os.getpid()}")
    for place in places:
        place.folder.rmdir()
    return frozenset().union(*(place.controllers for place in places)) if places else None
