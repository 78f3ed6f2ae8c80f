"""The daemon comes and goes; the launcher stays, for as long as its lease."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest

from arp_daemon.launcher import (
    Exited,
    InstanceRecord,
    LauncherError,
    LauncherStartError,
    open_launcher,
)
from arp_daemon.launcher.paths import EXIT_LOCKED
from arp_service.folder_lock import hold_lock
from daemon.launcher.scene import SOON, WAYS, ask, living, running_launcher, spec, until_dead
from support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import UNIXSocketStream


async def test_a_daemon_that_comes_back_finds_its_instances(tmp_path: Path) -> None:
    """Promise: leaving only disconnects, and restarting the API process touches no agent."""
    async with running_launcher(tmp_path) as first:
        launched = [await first.launch(spec(way, "echo", way=way)) for way in WAYS]
        async with open_launcher(tmp_path) as second:
            assert second.launcher_pid == first.launcher_pid
            assert [record.launched for record in await second.list()] == launched
        async with open_launcher(tmp_path) as third:
            assert [record.launched for record in await third.list()] == launched
        assert [(await ask(one))["pid"] for one in launched] == [one.pid for one in launched]


async def test_an_exit_that_no_daemon_saw_is_listed(tmp_path: Path) -> None:
    """Design: what ended while no daemon was connected is remembered, with its last words."""
    async with running_launcher(tmp_path) as keeper:
        async with open_launcher(tmp_path) as first:
            launched = await first.launch(spec("i1", "parent"))
            stream = await anyio.connect_tcp("127.0.0.1", launched.port or 0)
        await stream.aclose()
        with anyio.fail_after(SOON):
            exited = await anext(keeper.exits())
        async with open_launcher(tmp_path) as second:
            assert await second.list() == [InstanceRecord(launched, exited)]
    assert exited == Exited(instance_id="i1", exit_code=3)


async def test_every_connection_hears_of_an_exit(tmp_path: Path) -> None:
    """An operator's tool that looks on takes nothing from the daemon."""
    async with running_launcher(tmp_path) as one, open_launcher(tmp_path) as two:
        await one.launch(spec("i1", "fail", "1", "x", listen=None))
        with anyio.fail_after(SOON):
            assert await anext(one.exits()) == await anext(two.exits())


async def test_a_launcher_without_a_daemon_ends_when_its_lease_is_over(tmp_path: Path) -> None:
    """Design: no daemon for the lease, and everything is stopped in order."""
    async with open_launcher(tmp_path, lease_s=0.3) as launcher:
        launched = [await launcher.launch(spec(way, "echo", way=way)) for way in WAYS]
        for one in launched:
            await ask(one)
    await until_dead(launcher.launcher_pid)
    assert living(one.pid for one in launched) == []
    assert not (tmp_path / "run" / "launcher.sock").exists()


async def test_a_connection_holds_the_lease(tmp_path: Path) -> None:
    """The lease runs only while nobody is connected."""
    lease_s = 0.5
    async with running_launcher(tmp_path, lease_s) as launcher:
        over_at = anyio.current_time() + 2 * lease_s
        await launcher.launch(spec("i1", "echo"))
        while anyio.current_time() < over_at:
            [record] = await launcher.list()
            await ask(record.launched)


async def test_a_data_dir_may_have_a_longer_path_than_a_socket_can(tmp_path: Path) -> None:
    """Trap: AF_UNIX paths end at 107 bytes."""
    data_dir = tmp_path / ("d" * 100) / "a folder with spaces" / ("é" * 50)
    async with running_launcher(data_dir) as launcher:
        await ask(await launcher.launch(spec("i1", "echo")))
        assert (data_dir / "run" / "launcher.sock").is_socket()


async def test_concurrent_daemons_end_up_with_one_launcher(tmp_path: Path) -> None:
    """A lock makes the starters that lose the race use the winner's."""
    pids = set()

    async def connect() -> None:
        async with open_launcher(tmp_path) as launcher:
            pids.add(launcher.launcher_pid)

    async with running_launcher(tmp_path / "one") as _, anyio.create_task_group() as tasks:
        for _number in range(3):
            tasks.start_soon(connect)
    async with running_launcher(tmp_path) as launcher:
        pids.add(launcher.launcher_pid)
    assert len(pids) == 1


def test_a_second_launcher_on_the_same_data_dir_refuses_at_once(tmp_path: Path) -> None:
    """Promise: one launcher a data dir."""
    (tmp_path / "run").mkdir()
    with hold_lock(tmp_path / "run" / "launcher.lock"):
        command = [sys.executable, "-m", "arp_daemon.launcher", "--data-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, timeout=SOON, check=False)
    assert done.returncode == EXIT_LOCKED
    assert b"Another launcher serves" in done.stderr


@pytest.mark.parametrize(("in_the_way", "said"), [("run/launcher.lock/x", "Is a directory"), ("logs", "exists")])
async def test_an_unusable_data_dir_is_said_clearly(tmp_path: Path, in_the_way: str, said: str) -> None:
    """A start that fails says why, at once."""
    (tmp_path / in_the_way).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / in_the_way).touch()
    with pytest.raises(LauncherStartError, match=said):
        async with open_launcher(tmp_path):
            pass


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """What a killed launcher left of its socket hinders nobody."""
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "run" / "launcher.sock"))
    async with running_launcher(tmp_path) as launcher:
        assert await launcher.list() == []


async def test_the_socket_and_the_logs_are_the_users_alone(tmp_path: Path) -> None:
    """Nobody else on the machine can launch anything, or read what instances say."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "echo"))
        for name in ("run/launcher.sock", "run/launcher.lock", "logs/i1/stdout.log", "logs/launcher.log"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        for name in ("run", "logs", "logs/i1"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_a_stranger_on_the_socket_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design: the peer's uid must be the launcher's own, even where file modes were loosened."""
    async with running_launcher(tmp_path) as launcher:
        (tmp_path / "run").chmod(0o777)
        (tmp_path / "run" / "launcher.sock").chmod(0o777)
        # A relative path asks nothing of the folders above, which only root may enter.
        monkeypatch.chdir(tmp_path / "run")
        os.seteuid(65534)
        try:
            stream = await anyio.connect_unix("launcher.sock")
        finally:
            os.seteuid(0)
        async with stream:
            with anyio.fail_after(SOON), pytest.raises(anyio.EndOfStream):
                await stream.receive()
        assert await launcher.list() == []


async def test_nonsense_closes_one_connection_and_harms_no_other(tmp_path: Path) -> None:
    """A broken client is not worth the launcher."""
    async with running_launcher(tmp_path) as launcher:
        stream = await anyio.connect_unix(tmp_path / "run" / "launcher.sock")
        async with stream:
            await stream.send(b"GET / HTTP/1.1\r\n\r\n")
            with anyio.fail_after(SOON):
                said = b"".join([part async for part in stream])
        assert msgspec.json.decode(said.splitlines()[0])["type"] == "hello"
        assert len(said.splitlines()) == 1
        assert await launcher.list() == []


async def test_a_daemon_that_does_not_read_loses_its_connection_alone(tmp_path: Path) -> None:
    """What waits for a reader is bounded, and waits for nobody else."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "flood", "5000", listen=None))
        with anyio.fail_after(SOON):
            await anext(launcher.exits())
        request = msgspec.json.encode({"type": "tail", "id": 1, "instance_id": "i1", "stream": "stdout", "lines": 5000})
        async with await anyio.connect_unix(tmp_path / "run" / "launcher.sock") as deaf:
            with anyio.fail_after(SOON), pytest.raises(anyio.BrokenResourceError):
                await _send_for_ever(deaf, request + b"\n")
        assert len(await launcher.list()) == 1


async def _send_for_ever(stream: UNIXSocketStream, line: bytes) -> None:
    while True:
        await stream.send(line)


async def test_an_error_of_the_caller_comes_out_as_it_is(tmp_path: Path) -> None:
    """The context is no task group to its caller: nothing is wrapped."""

    class OwnError(Exception):
        """Of the caller."""

    async with running_launcher(tmp_path):
        with pytest.raises(OwnError):
            async with open_launcher(tmp_path):
                raise OwnError
        with pytest.raises(LauncherError):
            async with open_launcher(tmp_path) as launcher:
                await launcher.stop("nobody")


async def test_a_daemon_that_is_cancelled_can_still_end_its_launcher(tmp_path: Path) -> None:
    """Otherwise the launcher would live on for its lease. An answer is one: the launcher has stopped everything."""
    has_answered = False
    with anyio.CancelScope() as scope:
        async with open_launcher(tmp_path) as launcher:
            try:
                scope.cancel()
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True), anyio.fail_after(SOON):
                    await launcher.shutdown(0.0)
                    has_answered = True
    assert has_answered


async def test_a_daemon_that_is_cancelled_while_its_launcher_starts_can_end_it(tmp_path: Path) -> None:
    """What has begun to start is waited for; nobody would know of it otherwise, for as long as its lease."""
    ended: list[int] = []

    async def start_and_end() -> None:
        async with open_launcher(tmp_path) as launcher:
            with anyio.CancelScope(shield=True):
                await launcher.shutdown(0.0)
                ended.append(launcher.launcher_pid)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start_and_end)
        await until((tmp_path / "run" / "launcher.lock").exists)
        tasks.cancel_scope.cancel()
    assert len(ended) == 1
