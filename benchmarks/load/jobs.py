"""What the load can do. Times are in seconds.

Each job has three parts, with a `stage` between them: what is made ready, what is measured, and what is looked at
afterwards. Whoever gave the job looks at the processes that are measured in between.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from benchmarks.load.connection import Connection, connect, request
from benchmarks.load.frames import FrameCount
from benchmarks.load.stages import stage

if TYPE_CHECKING:
    from collections.abc import Iterable

# Between two questions whether a run has ended.
_ASK_EVERY_S = 0.002


async def submit(port: int, connections: int, prefix: str, count: int, parts: dict[str, Any], ends: str) -> Any:
    """Submit runs over some connections at once.

    `ends` tells when a run has ended: "answer" with the answer to its submission, "result" when there is a result,
    which is asked for. Gives `seconds`, from the first request until the last result is there, `accept_seconds`,
    until the last answer, and how many answers had which status.
    """
    run_ids = [f"{prefix}-{number}" for number in range(count)]
    shares = [run_ids[first::connections] for first in range(connections)]
    opened = [await connect(port) for _ in shares]
    requests = [[request("POST", "/v1/runs", _body(run_id, parts)) for run_id in share] for share in shares]
    statuses: Counter[int] = Counter()
    await stage("ready")
    began_at, began = time.time(), time.perf_counter()
    await asyncio.gather(*(_ask_all(c, r, statuses) for c, r in zip(opened, requests, strict=True)))
    accepted = time.perf_counter() - began
    if ends == "result":
        await asyncio.gather(*(_until_result(c, share[-1]) for c, share in zip(opened, shares, strict=True)))
    seconds = time.perf_counter() - began
    await stage("measured")
    if ends == "result":
        seconds = max(seconds, await _last_end(opened, shares) - began_at)
    return {"seconds": seconds, "accept_seconds": accepted, "statuses": statuses}


async def one_by_one(port: int, prefix: str, count: int, parts: dict[str, Any], ends: str) -> Any:
    """Submit runs one after the other; gives the seconds from each one's submission until its result is stored.

    `ends` is "answer" as above, or "events": the last event has come.
    """
    connection = await connect(port)
    took: list[float] = []
    statuses: Counter[int] = Counter()
    await stage("ready")
    for number in range(count):
        run_id = f"{prefix}-{number}"
        asked = request("POST", "/v1/runs", _body(run_id, parts))
        began = time.perf_counter()
        statuses[(await connection.ask(asked)).status] += 1
        if ends == "events":
            await connection.ask(request("GET", f"/v1/runs/{run_id}/events"))
        took.append(time.perf_counter() - began)
    await stage("measured")
    return {"took": took, "statuses": statuses}


async def follow(port: int, prefix: str, count: int, parts: dict[str, Any]) -> Any:
    """Submit runs one after the other and watch the events of each.

    Gives when the last event of each came after its submission, and the first token; how many events there were, and
    of how many runs none was missing.
    """
    connection = await connect(port)
    outcome: dict[str, Any] = {"took": [], "first_tokens": [], "events": 0, "complete": 0}
    await stage("ready")
    for number in range(count):
        await _follow_one(connection, f"{prefix}-{number}", parts, outcome)
    await stage("measured")
    return outcome


async def _follow_one(connection: Connection, run_id: str, parts: dict[str, Any], outcome: dict[str, Any]) -> None:
    frames, first_token = FrameCount(), 0.0

    def read(piece: bytes) -> None:
        nonlocal first_token
        frames.feed(piece)
        if not first_token and b"\nevent: token" in piece:
            first_token = time.perf_counter()

    began = time.perf_counter()
    await connection.ask(request("POST", "/v1/runs", _body(run_id, parts)))
    await connection.ask(request("GET", f"/v1/runs/{run_id}/events"), read)
    outcome["took"].append(time.perf_counter() - began)
    outcome["first_tokens"].append(first_token - began)
    outcome["events"] += frames.events
    outcome["complete"] += frames.complete


async def watch(port: int, path: str, watchers: int) -> Any:
    """Open many streams of the same events, say so, go on when told to, and read them to their ends."""
    counts = [FrameCount() for _ in range(watchers)]
    opened, answers = [], []
    for count in counts:
        connection = await connect(port)
        connection.opened = asyncio.get_running_loop().create_future()
        answers.append(connection.send(request("GET", path), count.feed))
        opened.append(connection.opened)
    await asyncio.gather(*opened)
    await stage("ready")
    statuses = Counter(answer.status for answer in await asyncio.gather(*answers))
    await stage("measured")
    return {
        "events": sum(count.events for count in counts),
        "pieces": sum(count.pieces for count in counts),
        "complete": sum(count.complete for count in counts),
        "statuses": statuses,
    }


async def read(port: int, paths: list[str]) -> Any:
    """GET paths one after the other; gives what each took."""
    connection = await connect(port)
    took: list[float] = []
    statuses: Counter[int] = Counter()
    await stage("ready")
    for path in paths:
        asked = request("GET", path)
        began = time.perf_counter()
        statuses[(await connection.ask(asked)).status] += 1
        took.append(time.perf_counter() - began)
    await stage("measured")
    return {"took": took, "statuses": statuses}


async def batch(port: int, prefix: str, count: int, parts: dict[str, Any]) -> Any:
    """Submit runs a thousand at a time; gives how many were accepted."""
    connection = await connect(port)
    accepted = 0
    await stage("ready")
    for first in range(0, count, 1000):
        ids = [f"{prefix}-{number}" for number in range(first, min(first + 1000, count))]
        body = json.dumps({"runs": [{"run_id": run_id, **parts} for run_id in ids]}).encode()
        answer = await connection.ask(request("POST", "/v1/runs:batch", body))
        accepted += sum("status" in item for item in json.loads(answer.body)["results"])
    await stage("measured")
    return {"accepted": accepted}


JOBS = {job.__name__: job for job in (submit, one_by_one, follow, watch, read, batch)}


def _body(run_id: str, parts: dict[str, Any]) -> bytes:
    return json.dumps({"run_id": run_id, **parts}).encode()


async def _ask_all(connection: Connection, requests: Iterable[bytes], statuses: Counter[int]) -> None:
    for asked in requests:
        statuses[(await connection.ask(asked)).status] += 1


async def _until_result(connection: Connection, run_id: str) -> None:
    asked = request("GET", f"/v1/runs/{run_id}/result")
    while (await connection.ask(asked)).status != 200:  # noqa: ASYNC110 - polling is what clients do
        await asyncio.sleep(_ASK_EVERY_S)


async def _last_end(connections: list[Connection], shares: list[list[str]]) -> float:
    """When the last of the runs ended, as the service has it; all of them must have succeeded."""

    async def last(connection: Connection, run_ids: list[str]) -> float:
        ends = []
        for run_id in run_ids:
            await _until_result(connection, run_id)
            status = json.loads((await connection.ask(request("GET", f"/v1/runs/{run_id}"))).body)
            if status["state"] != "succeeded":
                raise ValueError(f"run {run_id} {status['state']}")
            ends.append(datetime.fromisoformat(status["ended_at"]).timestamp())
        return max(ends)

    return max(await asyncio.gather(*map(last, connections, shares)))
