"""What a runtime tells of a run to whoever wants to understand it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from arp_model import TraceLevel, TraceResponse
from arp_runtime.trace import MAX_KEPT_BYTES, RunTrace
from runtime.streams import execute

if TYPE_CHECKING:
    import httpx


async def test_a_trace_tells_of_a_run_what_its_events_do_not(client: httpx.AsyncClient) -> None:
    """Taken, started, why the agent failed and where, and the end; each at its time, and in order."""
    events = await execute(client, "fail: no luck", run_id="traced")
    answer = await client.get("/v1/runs/traced/trace")
    trace = TraceResponse.from_json(answer.content).events or []
    assert [event.type_ for event in trace] == ["run.taken", "run.started", "agent_failed", "run.ended"]
    assert [event.seq for event in trace] == [0, 1, 2, 3]
    assert [event.time for event in trace] == sorted(event.time for event in trace)
    assert {event.run_id for event in trace} == {"traced"}
    told = trace[2].to_dict()["data"]
    assert "no luck" in told["error"]
    assert "Traceback" in told["traceback"]
    assert "Traceback" not in json.dumps([event.data for event in events])
    assert trace[3].data == {"state": "failed"}


async def test_a_run_that_is_not_there_has_no_trace(client: httpx.AsyncClient) -> None:
    """404, as of everything else that is asked of it."""
    answer = await client.get("/v1/runs/nothing/trace")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "run_not_found")


def _told(trace: RunTrace) -> list[dict[str, Any]]:
    return list(json.loads(bytes(trace.response()))["events"])


def test_the_end_of_a_long_trace_is_kept() -> None:
    """Its size is bounded, and the seq of what is left tells how much is missing."""
    trace = RunTrace("r")
    for _ in range(10_000):
        trace.add(TraceLevel.INFO, "stderr", {"text": "x" * 100})
    told = _told(trace)
    assert trace.size <= MAX_KEPT_BYTES
    assert [entry["seq"] for entry in told] == list(range(10_000 - len(told), 10_000))
    trace.add(TraceLevel.ERROR, "agent_failed", {"error": "y" * MAX_KEPT_BYTES})
    assert _told(trace)[-1]["data"]["left_out_bytes"] > MAX_KEPT_BYTES
    assert len(_told(trace)) > 1


def test_what_comes_after_the_end_is_not_kept() -> None:
    """An agent that resists its end cannot make a trace grow that has been counted."""
    trace = RunTrace("r")
    trace.add(TraceLevel.INFO, "run.ended", {})
    trace.close()
    trace.add(TraceLevel.INFO, "stderr", {})
    assert [entry["type"] for entry in _told(trace)] == ["run.ended"]
