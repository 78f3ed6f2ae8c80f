"""Asking a runtime as a client does: reading event streams, and looking until it is as expected."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from support.waiting import until_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx


class SeenEvent(NamedTuple):
    """One frame: its `id:`, its `event:`, and its `data:` as decoded JSON."""

    id: str
    type: str
    data: dict[str, Any]


@asynccontextmanager
async def following(client: httpx.AsyncClient, path: str, **request: Any) -> AsyncIterator[AsyncIterator[SeenEvent]]:
    """Open a stream; yields its events as they come."""
    async with client.stream("GET", path, **request) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def read_all(client: httpx.AsyncClient, path: str, **request: Any) -> list[SeenEvent]:
    """Read a stream until the server ends it."""
    async with following(client, path, **request) as events:
        return [event async for event in events]


async def execute(client: httpx.AsyncClient, goal: str, **fields: Any) -> list[SeenEvent]:
    """Create a run and follow it to its end."""
    answer = await client.post("/v1/runs", json={"input": {"goal": goal}, **fields})
    assert answer.status_code == 200, answer.text
    return await read_all(client, f"/v1/runs/{answer.json()['run_id']}/events")


async def until_health(client: httpx.AsyncClient, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask for the health until it is the one that is waited for."""

    async def ask() -> dict[str, Any]:
        health: dict[str, Any] = (await client.get("/v1/health")).json()
        return health

    return await until_answer(ask, is_it)


async def until_under_way(client: httpx.AsyncClient) -> None:
    """Wait until there is a run under way."""
    await until_health(client, lambda health: health["checks"][0]["details"]["under_way"] > 0)


async def until_stopping(client: httpx.AsyncClient) -> None:
    """Wait until a runtime says that it is about to stop."""
    await until_health(client, lambda health: health["status"] != "ok")


async def until_running(client: httpx.AsyncClient, run_id: str) -> None:
    """Wait until a run is being executed."""

    async def ask() -> str:
        return str((await client.get(f"/v1/runs/{run_id}")).json()["state"])

    await until_answer(ask, lambda state: state == "running")


async def _events(response: httpx.Response) -> AsyncIterator[SeenEvent]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line.startswith(":"):
            continue
        if not line:
            if fields:
                yield SeenEvent(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(": ")
        assert name not in fields
        fields[name] = value
