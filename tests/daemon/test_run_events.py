"""A run's events as a daemon gives them to watchers of every kind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from support.daemon import RunningDaemon


async def _lines(daemon: RunningDaemon, run_id: str, after: int = -1) -> list[dict[str, Any]]:
    """The run's events to its end, read as lines of JSON."""
    path = f"/v1/runs/{run_id}/events?after={after}"
    with anyio.fail_after(30):
        response = await daemon.client.get(path, headers={"Accept": "application/x-ndjson"})
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.split("\n") if line]


async def test_lines_of_json_tell_the_same_as_frames(daemon: RunningDaemon) -> None:
    """While the run goes on and afterwards, from the start and after every event."""
    run_id = await daemon.submit("count to 5 quickly")
    live = await _lines(daemon, run_id)
    events = await daemon.events(run_id)
    assert live == events
    for seen in range(len(events)):
        assert await _lines(daemon, run_id, seen) == events[seen + 1 :]
