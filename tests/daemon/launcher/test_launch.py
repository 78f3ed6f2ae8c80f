"""Launching: what an instance gets, and what is said when it cannot be had."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

import anyio
import psutil
import pytest

from arp_daemon.launcher import (
    InstanceExistsError,
    InvalidSpecError,
    LauncherClient,
    LauncherError,
    LaunchFailedError,
    LaunchSpec,
    ProgramNotFoundError,
    UnknownInstanceError,
)
from arp_service.processes import is_alive
from daemon.launcher.scene import BESTIARY, SOON, WAYS, Way, ask, running_launcher, spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Shared(NamedTuple):
    """A launcher for tests that leave nothing behind in it."""

    launcher: LauncherClient
    data_dir: Path


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    data_dir = tmp_path_factory.mktemp("shared")
    async with running_launcher(data_dir) as launcher:
        yield Shared(launcher, data_dir)


@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_gets_its_own_argv_env_and_folder_and_nothing_else(tmp_path: Path, way: Way) -> None:
    """Promise: the environment is the spec's plus two marks; argv and cwd are the spec's."""
    async with running_launcher(tmp_path) as launcher:
        cwd = tmp_path / "a folder"
        cwd.mkdir()
        words = ("echo", "{port}", "{fd}", "{host}", "{other}", "{{port}}")
        launched = await launcher.launch(spec("i1", *words, way=way, env={"A": "1 2"}, cwd=str(cwd)))
        facts = await ask(launched)
    port = str(launched.port)
    assert facts["argv"][1:] == ["echo", port, "3", "127.0.0.1", "{other}", f"{{{port}}}"]
    # The interpreter sets LC_CTYPE for itself where no locale is given (PEP 538).
    env = {name: value for name, value in facts["env"].items() if name != "LC_CTYPE"}
    assert env == {"A": "1 2", "ARP_INSTANCE_ID": "i1", "ARP_LAUNCHER_ID": launcher.launcher_id}
    assert facts["cwd"] == str(cwd)


@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_is_a_child_of_the_launcher_and_leads_its_own_session(tmp_path: Path, way: Way) -> None:
    """Design: one waitpid sees every exit, and a signal to a terminal's group reaches no instance."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "echo", way=way))
        facts = await ask(launched)
        assert is_alive(launched.identity)
    assert (facts["pid"], facts["ppid"]) == (launched.pid, launcher.launcher_pid)
    assert facts["sid"] == launched.pid
    assert not is_alive(launched.identity)


async def test_an_executed_instance_inherits_its_four_descriptors_alone(tmp_path: Path) -> None:
    """Design: no descriptor of the launcher leaks, so nothing keeps another instance's socket or pipe open."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "echo"))
        facts = await ask(await launcher.launch(spec("i2", "echo")))
    # One more for the folder that is being listed.
    assert facts["fds"] == [0, 1, 2, 3, 4]


async def test_an_instance_that_binds_itself_is_told_a_free_port(tmp_path: Path) -> None:
    """Design: `{port}` commands get a picked port."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "bind", "{host}", "{port}", listen="port"))
        assert launched.port is not None
        with anyio.fail_after(SOON):
            while not await _is_listening(launched.port):
                await anyio.lowlevel.checkpoint()
        facts = await ask(launched)
    assert facts["pid"] == launched.pid


async def _is_listening(port: int) -> bool:
    try:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True


@pytest.mark.parametrize("way", WAYS)
async def test_the_port_of_an_ended_instance_refuses(tmp_path: Path, way: Way) -> None:
    """Design: the launcher keeps no copy of the socket, so nobody waits for a dead instance."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "echo", way=way))
        await ask(launched)
        await launcher.stop("i1")
        with pytest.raises(OSError, match="connect"):
            await ask(launched)


async def test_accepted_connections_notice_a_dead_peer(tmp_path: Path) -> None:
    """Design: keepalive and TCP_USER_TIMEOUT are set on the listening socket, and handed down."""
    code = (
        "import socket as s; l = s.socket(fileno=3); c, _ = l.accept();"
        "print(*(c.getsockopt(a, b) for a, b in ((s.SOL_SOCKET, s.SO_KEEPALIVE), (s.IPPROTO_TCP,"
        " s.TCP_USER_TIMEOUT)))); "
    )
    async with running_launcher(tmp_path) as launcher:
        argv = [sys.executable, "-c", code]
        launched = await launcher.launch(LaunchSpec(instance_id="i1", argv=argv, env={}, listen="fd"))
        with socket.create_connection(("127.0.0.1", launched.port or 0)), anyio.fail_after(SOON):
            await anext(launcher.exits())
        assert await launcher.tail("i1", "stdout", 1) == "1 30000\n"


@pytest.mark.parametrize("way", WAYS)
async def test_many_instances_are_launched_at_once(tmp_path: Path, way: Way) -> None:
    """Issue 3: a `count` of instances starts in parallel; each is itself and listens on its own port."""
    pids: dict[str, int] = {}
    async with running_launcher(tmp_path) as launcher:

        async def launch(instance_id: str) -> None:
            launched = await launcher.launch(spec(instance_id, "echo", way=way))
            facts = await ask(launched)
            assert facts["env"]["ARP_INSTANCE_ID"] == instance_id
            pids[instance_id] = facts["pid"]

        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                for number in range(12):
                    tasks.start_soon(launch, f"i{number}")
        listed = {record.launched.instance_id: record.launched.pid for record in await launcher.list()}
        assert listed == pids
    assert len(set(pids.values())) == 12
    assert not [pid for pid in pids.values() if psutil.pid_exists(pid)]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"argv": ["no-such-program"], "env": {"PATH": "/bin"}}, ProgramNotFoundError, "no-such-program"),
        ({"argv": ["sh"]}, ProgramNotFoundError, "PATH ''"),
        ({"argv": [str(BESTIARY)]}, ProgramNotFoundError, "no executable file"),
        ({"cwd": "/no/such/folder"}, LaunchFailedError, "Cannot enter /no/such/folder: No such file"),
        ({"env": {"A": "x" * 3_000_000}}, LaunchFailedError, "Argument list too long"),
        ({"env": {"A": "x" * 9_000_000}}, InvalidSpecError, "no launcher takes"),
        ({"env": {"A": "\udcff"}}, InvalidSpecError, "not UTF-8"),
        ({"env": {"A": "nul\0"}}, LaunchFailedError, "null byte"),
        ({"env": {"A=B": "C"}}, LaunchFailedError, "illegal environment variable name"),
        ({"argv": ["/bin/true", "{port}"], "listen": None}, InvalidSpecError, r"\{port\}"),
        ({"argv": ["/bin/true", "{fd}"], "listen": "port"}, InvalidSpecError, r"\{fd\}"),
        ({"host": "localhost"}, InvalidSpecError, "not an IP address"),
        ({"host": "192.0.2.1"}, LaunchFailedError, "Cannot listen on 192.0.2.1"),
        ({"instance_id": "../up"}, InvalidSpecError, "instance_id"),
        ({"instance_id": "launcher.log"}, LaunchFailedError, "launcher.log"),
        ({"template": "not a target"}, InvalidSpecError, "template"),
        ({"argv": []}, InvalidSpecError, "argv"),
    ],
)
async def test_a_launch_that_cannot_be_says_why_and_leaves_nothing(
    shared: Shared, settings: dict[str, object], error: type[LauncherError], message: str
) -> None:
    """Issue 2: nothing half-made is left behind, and the error names the cause."""
    complete = {"instance_id": "i1", "argv": ["/bin/true"], "env": {}, "listen": "fd", **settings}
    with pytest.raises(error, match=message):
        await shared.launcher.launch(LaunchSpec(**complete))  # type: ignore[arg-type]
    assert await shared.launcher.list() == []
    assert [path.name for path in (shared.data_dir / "logs").iterdir()] == ["launcher.log"]
    assert psutil.Process(shared.launcher.launcher_pid).children() == []


async def test_an_id_is_for_one_live_instance_and_free_again_after_its_end(tmp_path: Path) -> None:
    """Design: two processes never share an id at a time."""
    async with running_launcher(tmp_path) as launcher:
        first = await launcher.launch(spec("i1", "echo"))
        with pytest.raises(InstanceExistsError):
            await launcher.launch(spec("i1", "echo"))
        await launcher.stop("i1")
        second = await launcher.launch(spec("i1", "echo"))
        assert [record.launched for record in await launcher.list()] == [second]
    assert first.identity != second.identity


async def test_what_was_never_launched_is_unknown(tmp_path: Path) -> None:
    """Every call that names an instance says so when there is none."""
    async with running_launcher(tmp_path) as launcher:
        with pytest.raises(UnknownInstanceError):
            await launcher.stop("nobody")
        with pytest.raises(UnknownInstanceError):
            await launcher.signal("nobody", 15)
        with pytest.raises(UnknownInstanceError):
            await launcher.tail("nobody", "stderr", 10)
