"""The daemon's token: made where it is needed, found by clients, and shown to nobody else."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from arp_sdk import AsyncDaemonClient
from arp_sdk.errors import ArpApiError
from conformance_suite.arp_check import arp_check
from support.daemon import RunningDaemon, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psutil

    from support.forked import ForkedCommands

_NOBODY = 65534
# A kernel that does not tell whose a connection is: it has no such family of questions.
_UNTOLD = (
    "-c",
    "import arp_daemon.cli, arp_service.peer; arp_service.peer._NETLINK_SOCK_DIAG = 99; arp_daemon.cli.main()",
)
_RUN_AS_NOBODY = """
import encodings.idna, os, sys
from arp_sdk import DaemonClient
from arp_sdk.errors import ArpApiError
with DaemonClient(sys.argv[1]) as daemon:  # what the stranger may be unable to read is loaded now
    daemon.health()
daemon = DaemonClient(sys.argv[1])
os.setuid(int(sys.argv[2]))
try:
    with daemon:
        print(daemon.run("What is (19*23)?").result(timeout=30).output["answer"])
except ArpApiError as error:
    print(error.code)
"""


@asynccontextmanager
async def _running(folder: Path, *args: str, program: tuple[str, ...] | None = None) -> AsyncIterator[RunningDaemon]:
    daemon = RunningDaemon(folder / "data")
    daemon.program = program or daemon.program
    async with running(daemon, *args):
        yield daemon


async def _run_as_nobody(daemon: RunningDaemon, **environment: str) -> str:
    """What the SDK gets for another user of this machine."""
    command = [sys.executable, "-c", _RUN_AS_NOBODY, daemon.url, str(_NOBODY)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARP_")}
    environment.setdefault("ARP_DAEMON_DATA_DIR", "/nowhere")
    return (await anyio.run_process(command, env={**env, **environment})).stdout.decode().strip()


def _environment(process: psutil.Process) -> str:
    return Path(f"/proc/{process.pid}/environ").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
async def test_another_user_gets_in_by_the_token_and_nobody_else_is_told_it(tmp_path: Path) -> None:
    """By ARP_DAEMON_TOKEN, as by any other way; no agent finds it in its environment, and no log has it."""
    path = tmp_path / "secret" / "token"
    async with _running(tmp_path, "--token-file", str(path)) as daemon:
        token = path.read_text().strip()
        assert await _run_as_nobody(daemon) == "unauthorized"
        assert await _run_as_nobody(daemon, ARP_DAEMON_TOKEN="wrong-one") == "invalid_token"
        assert await _run_as_nobody(daemon, ARP_DAEMON_TOKEN=token) == "(19*23) = 437"
        assert await daemon.result(await daemon.submit("1+1"))
        processes = daemon.processes()
        assert len(processes) > 2
        assert not [p for p in processes if token in _environment(p)]
        logs = [*daemon.data_dir.glob("logs/**/*.log"), daemon.data_dir.with_suffix(".log")]
        assert not [log for log in logs if log.is_file() and token in log.read_text()]
        assert str(path) in daemon.words()
    assert token.encode() not in (daemon.data_dir / "daemon.sqlite3").read_bytes()


async def test_where_nobody_tells_who_asks_a_token_is_made_and_clients_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the data folder, for the user alone; without it, not even the own user gets in, and the document says so.

    Health and version are told all the same, as the standard has it, and as arp-check looks at.
    """
    monkeypatch.delenv("ARP_DAEMON_TOKEN", raising=False)
    async with _running(tmp_path, program=_UNTOLD) as daemon:
        assert (await daemon.client.get("/v1/runs")).status_code == 401
        path = daemon.data_dir / "token"
        assert path.stat().st_mode & 0o777 == 0o600
        monkeypatch.setenv("ARP_DAEMON_DATA_DIR", str(daemon.data_dir))
        async with AsyncDaemonClient(daemon.url) as client:
            assert (await (await client.run("1+1")).result(timeout=30)).ok
        async with AsyncDaemonClient(daemon.url, token="") as client:
            with pytest.raises(ArpApiError) as caught:
                await client.list_runs()
        assert caught.value.code == "unauthorized"
        options = ("--tier=surface", "--token-file", str(path))
        checked = await anyio.to_thread.run_sync(partial(arp_check, "daemon", daemon.url, *options))
        assert checked.exit_code == 0, checked.stdout
        daemon.client.headers["Authorization"] = f"Bearer {path.read_text().strip()}"
        document = await daemon.get("/openapi.json")
        assert document["security"] == [{"ArpBearerJWT": []}]


async def _refusal(arp_daemon: ForkedCommands, folder: Path, *args: str) -> str:
    """What a daemon that does not start says; it must be one line, besides the log."""
    done = await arp_daemon.run("serve", "--port", "0", "--data-dir", str(folder), *args, cwd=folder.parent)
    assert done.code == 1
    (said,) = [line for line in done.err.splitlines() if not line.startswith("{")]
    assert said.startswith("arp-daemon: ")
    return said


async def test_beyond_loopback_a_daemon_has_a_token_before_it_listens(
    tmp_path: Path, arp_daemon: ForkedCommands
) -> None:
    """Made if need be; one that others may read is refused, and nothing has listened. (The address is no machine's.)"""
    assert "Cannot assign requested address" in await _refusal(arp_daemon, tmp_path / "data", "--host", "192.0.2.1")
    path = tmp_path / "data" / "token"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    for args in (["--host", "192.0.2.1"], ["--token-file", str(path)]):
        said = await _refusal(arp_daemon, tmp_path / "data", *args)
        assert "chmod 600" in said
        assert path.read_text().strip() not in said


async def test_a_host_that_cannot_be_one_is_refused_at_the_start(tmp_path: Path, arp_daemon: ForkedCommands) -> None:
    """With the option's name."""
    said = await _refusal(arp_daemon, tmp_path / "data", "--allow-host", "http://x")
    assert "--allow-host http://x: write a name" in said
