"""A runtime whose data dir is on a disk that fills up and is freed again."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from arp_runtime.records.chronicle import Chronicle
from arp_runtime.records.metrics import Metrics
from arp_runtime.records.opening import Records
from arp_runtime.runs import manager
from arp_service.sqlite import StoreUnavailableError
from faults.disks import fill, may_mount, small_disk
from runtime.scene import managed, request
from runtime.streams import read_all, until_health, until_running
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from arp_runtime import AgentContext
    from arp_runtime.records.changes import Change
    from support.runtime import RunningRuntime

needs_disk = pytest.mark.skipif(not may_mount(), reason="no disk may be mounted here")

MEBIBYTES = 4
_OPTIONS = ("--agent", "./agent.py:agent", "--max-concurrent-runs", "2", "--drain-grace-s", "0")
# It ends when the file is there that its goal names.
_AGENT = """
import anyio
from pathlib import Path

async def agent(context):
    await context.step("begun")
    while not Path(context.goal).exists():
        await anyio.sleep(0.01)
    await context.emit_token("x" * 100_000)
    return "done"
"""


@asynccontextmanager
async def _on_small_disk(tmp_path: Path) -> AsyncIterator[tuple[RunningRuntime, httpx.AsyncClient, Path]]:
    data = tmp_path / "data"
    (tmp_path / "agent.py").write_text(_AGENT)
    with small_disk(data, MEBIBYTES):
        async with (
            running_runtime(*_OPTIONS, "--data-dir", str(data), cwd=tmp_path) as runtime,
            httpx.AsyncClient(base_url=runtime.base_url, timeout=30) as client,
        ):
            yield runtime, client, data


async def _begin(client: httpx.AsyncClient, run_id: str, until: Path) -> None:
    await client.post("/v1/runs", json={"run_id": run_id, "input": {"goal": str(until)}})
    await until_running(client, run_id)


async def _until_store(client: httpx.AsyncClient, status: str) -> dict[str, Any]:
    return await until_health(
        client, lambda health: {check["name"]: check["status"] for check in health["checks"]}["store"] == status
    )


@needs_disk
async def test_a_full_disk_refuses_new_runs_and_loses_none(tmp_path: Path) -> None:
    """503 and degraded while it is full; what was under way ends, and is on the disk once that is freed."""
    go = tmp_path / "go"
    async with _on_small_disk(tmp_path) as (runtime, client, data):
        await _begin(client, "under-way", go)
        filler = fill(data)
        go.touch()
        assert (await _until_store(client, "degraded"))["status"] == "degraded"
        refused = await client.post("/v1/runs", json={"input": {"goal": str(go)}})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
        assert (await client.get("/v1/runs/under-way")).json()["state"] == "running"
        filler.unlink()
        await _until_store(client, "ok")
        events = await read_all(client, "/v1/runs/under-way/events")
        assert [event.type for event in events] == ["step", "token", "final"]
        assert (await client.post("/v1/runs", json={"input": {"goal": str(go)}})).status_code == 200
        runtime.process.kill()
        await runtime.process.wait()
        async with (
            running_runtime("--data-dir", str(data)) as after,
            httpx.AsyncClient(base_url=after.base_url) as client_after,
        ):
            assert await read_all(client_after, "/v1/runs/under-way/events") == events


class _FullDisk:
    """A `Keeper` that takes changes, and does not get to keep them until it has room."""

    def __init__(self) -> None:
        self.has_room = True
        self._waiting: list[Callable[[], None]] = []

    def keep(self, _change: Change, then: Callable[[], None]) -> None:
        self._waiting.append(then)
        self.go_on()

    def check(self) -> None:
        """Nobody has noticed yet."""

    def go_on(self) -> None:
        while self.has_room and self._waiting:
            self._waiting.pop(0)()


async def test_nobody_waits_for_a_full_disk_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who creates or cancels a run hears after a while that the store does not take it; later it has ended."""
    monkeypatch.setattr(manager, "_KEEP_S", 0.02)
    disk = _FullDisk()

    async def agent(_context: AgentContext) -> None:
        await anyio.sleep_forever()

    records = Records(Chronicle([], disk), Metrics())
    async with managed(agent, records=records, cancel_grace_s=0.02) as runs:
        begun = runs.create(request(run_id="begun"))
        await runs.wait_kept(begun)
        disk.has_room = False
        with pytest.raises(StoreUnavailableError):
            await runs.wait_kept(runs.create(request(run_id="taken")))
        for run_id in ("begun", "taken"):
            with pytest.raises(StoreUnavailableError):
                await runs.cancel(run_id)
        assert begun.state.value == "running"
        disk.has_room = True
        disk.go_on()
        assert [(await runs.cancel(run_id)).state.value for run_id in ("begun", "taken")] == ["canceled"] * 2


@needs_disk
async def test_a_runtime_on_a_full_disk_stops_and_what_it_could_not_keep_was_interrupted(tmp_path: Path) -> None:
    """Exit code 0 within its grace, whether runs had ended, go on or wait; the next one reports them."""
    go = tmp_path / "go"
    async with _on_small_disk(tmp_path) as (runtime, client, data):
        await _begin(client, "ended", go)
        await _begin(client, "goes-on", tmp_path / "never")
        for number in range(2):  # one of them has its turn when the first has ended
            body = {"run_id": f"waits-{number}", "input": {"goal": str(tmp_path / "never")}}
            await client.post("/v1/runs", json=body)
        filler = fill(data)
        go.touch()
        await _until_store(client, "degraded")
        runtime.process.terminate()
        with anyio.fail_after(30):
            assert await runtime.process.wait() == 0
        assert [line for line in runtime.log if "Traceback" in line or json.loads(line)["level"] == "critical"] == []
        filler.unlink()
        async with (
            running_runtime("--data-dir", str(data)) as after,
            httpx.AsyncClient(base_url=after.base_url) as client_after,
        ):
            for run_id in ("ended", "goes-on", "waits-0", "waits-1"):
                result = (await client_after.get(f"/v1/runs/{run_id}/result")).json()
                assert result["error"]["code"] == "interrupted"
