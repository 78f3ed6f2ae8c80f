"""A run's events as a daemon gives them to watchers of every kind."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from support.daemon import running_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon


async def _lines(daemon: RunningDaemon, run_id: str, after: int = -1) -> list[dict[str, Any]]:
    """The run's events to its end, read as lines of JSON."""
    path = f"/v1/runs/{run_id}/events?after={after}"
    with anyio.fail_after(30):
        response = await daemon.client.get(path, headers={"Accept": "application/x-ndjson"})
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.split("\n") if line]


async def test_lines_of_json_tell_the_same_as_frames(shared_daemon: RunningDaemon) -> None:
    """While the run goes on and afterwards, from the start and after every event."""
    run_id = await shared_daemon.submit("count to 5 quickly")
    live = await _lines(shared_daemon, run_id)
    events = await shared_daemon.events(run_id)
    assert live == events
    for seen in range(len(events)):
        assert await _lines(shared_daemon, run_id, seen) == events[seen + 1 :]


async def test_a_watcher_that_asks_for_it_takes_its_run_along(shared_daemon: RunningDaemon) -> None:
    """With `on_disconnect=cancel` the run is canceled when this watcher goes away, whatever others watch it."""
    run_id = await shared_daemon.submit("wait 60 seconds")
    async with shared_daemon.client.stream("GET", f"/v1/runs/{run_id}/events?on_disconnect=cancel") as response:
        chunks = response.aiter_raw()
        assert await anext(chunks)
        other = await shared_daemon.client.head(f"/v1/runs/{run_id}/events?on_disconnect=cancel")
        assert other.status_code == 200
        assert (await shared_daemon.get(f"/v1/runs/{run_id}"))["state"] == "running"
    assert (await shared_daemon.end(run_id))["state"] == "canceled"


async def test_a_watcher_that_sees_the_end_cancels_nothing(shared_daemon: RunningDaemon) -> None:
    """The run had ended when the watcher went."""
    run_id = await shared_daemon.submit("What is 1+1?")
    response = await shared_daemon.client.get(f"/v1/runs/{run_id}/events?on_disconnect=cancel")
    assert "event: final" in response.text
    assert (await shared_daemon.get(f"/v1/runs/{run_id}"))["state"] == "succeeded"


async def test_a_wish_that_is_not_known_is_refused(shared_daemon: RunningDaemon) -> None:
    """400 by name, instead of a run that goes on unexpectedly."""
    run_id = await shared_daemon.submit("What is 1+1?")
    for query in ("on_disconnect=", "on_disconnect=keep", "on_disconnect=cancel&on_disconnect=cancel"):
        refused = await shared_daemon.client.get(f"/v1/runs/{run_id}/events?{query}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
        assert "on_disconnect" in refused.json()["error"]["message"]


async def test_a_daemon_that_stops_cancels_nothing_by_closing_its_streams(tmp_path: Path) -> None:
    """The watcher did not leave: a run that waits is still there for the next daemon."""
    async with running_daemon(tmp_path / "data", "--drain-grace-s", "0") as daemon:
        await daemon.put_profile("default", driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
        first = await daemon.submit("wait 60 seconds")
        second = await daemon.submit("What is 1+1?")
        await daemon.until_event(first, "step")
        async with daemon.client.stream("GET", f"/v1/runs/{second}/events?on_disconnect=cancel") as response:
            daemon.process.send_signal(signal.SIGTERM)
            assert await response.aread() == b""
        assert await daemon.stop() == 0
        await daemon.start()
        assert (await daemon.end(second))["state"] == "succeeded"


@pytest.mark.own_daemon
async def test_a_log_that_has_lost_its_end_is_cut_and_not_shown_as_whole(daemon: RunningDaemon) -> None:
    """A reader must not take what is left for all that there was."""
    run_id = await daemon.submit("count to 3 quickly")
    await daemon.end(run_id)
    await daemon.stop()
    with closing(sqlite3.connect(daemon.data_dir / "daemon.sqlite3")) as store, store:
        store.execute("DELETE FROM run_events WHERE type LIKE '%final'")
    await daemon.start()
    with pytest.raises(httpx.RemoteProtocolError):
        await daemon.events(run_id)
    beyond = await daemon.client.get(f"/v1/runs/{run_id}/events", params={"after": 100})
    assert (beyond.status_code, beyond.content) == (200, b"")
