"""`timeout_ms` holds whatever the runtime does: from the first start, over all attempts and daemons."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from support.liars import put_liar

if TYPE_CHECKING:
    from support.daemon import RunningDaemon


@pytest.mark.parametrize("features", [["events"], ["run.events"]])
async def test_a_runtime_that_ignores_the_limit_is_overruled(daemon: RunningDaemon, features: list[str]) -> None:
    """The run fails with limit_exceeded and what was said so far, as our runtime would have ended it."""
    await put_liar(daemon, *features)
    run_id = await daemon.submit("deaf", limits={"timeout_ms": 200})
    result = await daemon.result(run_id)
    assert result["error"]["code"] == "limit_exceeded"
    assert result["error"]["details"] == {"limit": "timeout_ms", "value": 200}
    assert result["output"] == {"answer": "0 ", "partial": True}
    assert result["usage"] == {"steps": 0, "tool_calls": 0, "tokens": 1}
    assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "failed"


async def test_a_runtime_that_keeps_the_limit_ends_the_run_itself(daemon: RunningDaemon) -> None:
    """Its own ending wins, with its own count of what was used."""
    run_id = await daemon.submit("count to 10000", limits={"timeout_ms": 300})
    result = await daemon.result(run_id)
    assert result["error"]["code"] == "limit_exceeded"
    assert result["output"]["partial"] is True
    tokens = [e for e in await daemon.events(run_id) if e["type"] == "token"]
    assert result["usage"]["tokens"] == len(tokens)


async def test_no_time_at_all_ends_a_run_as_it_starts(daemon: RunningDaemon) -> None:
    """It is not sent to anybody."""
    await put_liar(daemon, "events")
    run_id = await daemon.submit("deaf", limits={"timeout_ms": 0})
    (event,) = await daemon.events(run_id)
    assert event["data"]["error"]["code"] == "limit_exceeded"
    assert (await daemon.get(f"/v1/runs/{run_id}"))["started_at"]


async def test_a_ceiling_of_the_profile_is_a_limit_too(daemon: RunningDaemon) -> None:
    """A run that asks for none has the profile's."""
    await put_liar(daemon, "events", max_timeout_ms=200)
    result = await daemon.result(await daemon.submit("deaf"))
    assert result["error"]["details"] == {"limit": "timeout_ms", "value": 200}


async def test_time_passes_while_no_daemon_is_there(daemon: RunningDaemon) -> None:
    """The next one ends the run soon after its start, counting from the first one's."""
    await put_liar(daemon, "events", stop_grace_s=0.1)
    run_id = await daemon.submit("deaf", limits={"timeout_ms": 1000})
    await daemon.until_event(run_id, "token")
    await daemon.kill()
    await daemon.start()
    result = await daemon.result(run_id)
    assert result["error"]["code"] == "limit_exceeded"
    assert result["output"]["answer"] == "0 "


async def test_a_later_attempt_has_the_time_that_is_left(daemon: RunningDaemon) -> None:
    """The clock is not set back when the instance is lost."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, retries=1)
    run_id = await daemon.submit("wait 60 seconds", limits={"timeout_ms": 4000})
    await daemon.until_event(run_id, "step")
    (instance,) = await daemon.instances()
    os.kill(instance["extensions"]["arp.pid"], signal.SIGKILL)
    events = await daemon.events(run_id)
    assert "attempt_lost" in [event["data"].get("name") for event in events]
    error = events[-1]["data"]["error"]
    assert error["code"] == "limit_exceeded"
    assert error["details"]["value"] < 4000
