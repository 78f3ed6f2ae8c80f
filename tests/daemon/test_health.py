"""Health: what it checks, and that the answer waits for none of it."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio

from arp_daemon.watched import LoopLag
from support.daemon import RunningDaemon, running_daemon
from support.waiting import until_answer

if TYPE_CHECKING:
    from pathlib import Path


async def _checks(daemon: RunningDaemon) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in (await daemon.get("/v1/health"))["checks"]}


async def _until(daemon: RunningDaemon, expected: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Ask until checks have these statuses."""
    return await until_answer(
        lambda: _checks(daemon), lambda checks: expected == {name: checks[name]["status"] for name in expected}
    )


async def test_health_tells_what_it_has_measured(tmp_path: Path) -> None:
    """Each check has a name and its figures; too little room for the data dir degrades the service."""
    async with running_daemon(tmp_path / "data", "--min-free-bytes", str(2**50)) as daemon:
        checks = await _until(daemon, {"disk": "degraded"})
        others = {name: check["status"] for name, check in checks.items() if name != "disk"}
        assert others == dict.fromkeys(["store", "launcher", "loop", "records", "instances", "serving"], "ok")
        assert 0 < checks["disk"]["details"]["free_bytes"] < checks["disk"]["details"]["min_free_bytes"] == 2**50
        assert checks["store"]["details"]["write_ms"] > 0
        assert (await daemon.get("/v1/health"))["status"] == "degraded"


async def test_a_store_and_a_launcher_that_hang_are_shown_and_hold_up_no_answer(daemon: RunningDaemon) -> None:
    """Health goes on answering; a store that can be written again, and a launcher that answers, are ok again."""
    (launcher,) = [p for p in daemon.processes() if "arp_daemon.launcher" in p.cmdline()]
    with closing(sqlite3.connect(daemon.data_dir / "daemon.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        launcher.send_signal(signal.SIGSTOP)
        checks = await _until(daemon, {"store": "degraded", "launcher": "degraded"})
        assert "waiting" in checks["store"]["message"]
        assert "not answered" in checks["launcher"]["message"]
        other.execute("ROLLBACK")
        launcher.send_signal(signal.SIGCONT)
    await _until(daemon, {"store": "ok", "launcher": "ok"})


async def test_a_loop_that_was_held_up_shows_it() -> None:
    """The worst lag of the last seconds is at least as long as what held the loop up, less one measurement."""
    lag = LoopLag()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lag.run)
        await anyio.lowlevel.checkpoint()
        until = time.perf_counter() + 0.4
        while time.perf_counter() < until:
            os.getpid()
        with anyio.fail_after(10):
            while lag.worst_s == 0.0:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert lag.worst_s > 0.25
