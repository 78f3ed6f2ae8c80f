"""A runtime with a data dir: what was seen of its runs is still there after any end of its process."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx

from runtime.streams import execute, following, read_all
from support.runtime import running_runtime

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.streams import SeenEvent
    from support.forked import ForkedCommands


async def _told(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """All that a client can ask of an ended run."""
    events = await read_all(client, f"/v1/runs/{run_id}/events")
    told = {part: (await client.get(f"/v1/runs/{run_id}{part}")).json() for part in ("", "/result", "/trace")}
    return {"events": events, **told}


async def test_a_finished_run_is_as_it_was_after_a_restart(tmp_path: Path) -> None:
    """Status, result, events and trace are the same, and so is the run for an equal request."""
    where = ("--data-dir", str(tmp_path / "data"))
    request = {"run_id": "sum", "input": {"goal": "What is (19*23)?"}}
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        await execute(client, "", **request)
        before = await _told(client, "sum")
        runtime.process.kill()
        await runtime.process.wait()
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        assert await _told(client, "sum") == before
        assert (await client.post("/v1/runs", json=request)).json()["state"] == "succeeded"
        other = {**request, "input": {"goal": "another"}}
        assert (await client.post("/v1/runs", json=other)).json()["error"]["code"] == "run_conflict"


async def test_a_run_that_was_in_the_middle_is_reported_interrupted(tmp_path: Path) -> None:
    """Failed, retryable, with what was said so far; what a watcher had seen is the beginning of what it sees now."""
    where = ("--data-dir", str(tmp_path / "data"))
    seen: list[SeenEvent] = []
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        await client.post("/v1/runs", json={"run_id": "long", "input": {"goal": "count to 1000 slowly"}})
        async with following(client, "/v1/runs/long/events") as events:
            async for event in events:
                seen.append(event)
                if len(seen) == 4:
                    break
        runtime.process.kill()
        await runtime.process.wait()
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        assert (await client.get("/v1/runs/long")).json()["state"] == "failed"
        error = (await client.get("/v1/runs/long/result")).json()["error"]
        assert (error["code"], error["retryable"]) == ("interrupted", True)
        now = await read_all(client, "/v1/runs/long/events")
        assert now[: len(seen)] == seen
        said = "".join(e.data["data"]["text"] for e in now if e.type == "token")
        assert now[-1].data["data"]["output"] == {"answer": said, "partial": True}
        assert now[-1].data["data"]["usage"]["tokens"] == sum(e.type == "token" for e in now)


async def test_a_second_runtime_in_the_same_data_dir_is_refused(tmp_path: Path, arp_runtime: ForkedCommands) -> None:
    """At once, in one sentence that names the cure."""
    async with running_runtime("--data-dir", str(tmp_path)):
        second = await arp_runtime.run("serve", "--port", "0", "--data-dir", str(tmp_path), cwd=tmp_path)
    assert second.code == 1
    assert second.err.strip().splitlines() == [
        f"arp-runtime: Another runtime serves {tmp_path}: stop it, or use another --data-dir."
    ]


async def test_a_data_dir_that_cannot_be_made_is_refused(tmp_path: Path, arp_runtime: ForkedCommands) -> None:
    """In one sentence that names the cure."""
    (tmp_path / "file").touch()
    data_dir = tmp_path / "file" / "data"
    refused = await arp_runtime.run("serve", "--port", "0", "--data-dir", str(data_dir), cwd=tmp_path)
    said = f"{data_dir} cannot be written (Not a directory): make it writable, or use another --data-dir."
    assert (refused.code, refused.err.strip()) == (1, f"arp-runtime: {said}")


async def test_what_is_forgotten_is_forgotten_on_the_disk_too(tmp_path: Path) -> None:
    """Of three ended runs with `--max-ended-runs 1` the last is kept, and of the others no row and no file."""
    where = ("--data-dir", str(tmp_path), "--max-ended-runs", "1")
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        for number in range(3):
            await execute(client, "hello", run_id=f"r{number}")
        assert (await client.get("/v1/runs/r1")).status_code == 404
    with closing(sqlite3.connect(tmp_path / "runtime.sqlite3")) as database, database:
        for table in ("runs", "run_events"):
            assert database.execute(f"SELECT DISTINCT run_id FROM {table}").fetchall() == [("r2",)]
    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["r2.jsonl"]


async def test_damaged_runs_are_left_out_and_said(tmp_path: Path) -> None:
    """What fails its checksum, or makes no sense, is not served; the runtime logs it, and its id can be taken again."""
    where = ("--data-dir", str(tmp_path))
    damages = {
        "event": "UPDATE run_events SET event = X'7B7D'",
        "result": "UPDATE runs SET result = '{}'",
        "time": "UPDATE runs SET taken_at = 'never'",
        "entry": "UPDATE trace_entries SET entry = X'00'",
    }
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        for run_id in (*damages, "good"):
            await execute(client, "hello", run_id=run_id)
    with closing(sqlite3.connect(tmp_path / "runtime.sqlite3")) as database, database:
        for run_id, damage in damages.items():
            assert database.execute(f"{damage} WHERE run_id = ?", (run_id,)).rowcount
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        assert (await client.get("/v1/runs/good")).json()["state"] == "succeeded"
        damaged = [entry for entry in map(json.loads, runtime.log) if entry["event"] == "damaged_run_left_out"]
        assert sorted(entry["run_id"] for entry in damaged) == sorted(damages)
        assert [(await client.get(f"/v1/runs/{run_id}")).status_code for run_id in damages] == [404] * len(damages)
        before = {run_id: await execute(client, "hello again", run_id=run_id) for run_id in damages}
    async with running_runtime(*where) as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
        assert {run_id: await read_all(client, f"/v1/runs/{run_id}/events") for run_id in damages} == before
