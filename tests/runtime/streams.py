"""Reading event streams as a client does."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
