"""What a runtime tells of a run to whoever wants to understand it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import anyio

from arp_model import TraceLevel, TraceResponse
from arp_runtime.records.changes import TraceTold
from arp_runtime.records.chronicle import Chronicle
from arp_runtime.records.trace import MAX_KEPT_BYTES, KeptTrace
from arp_runtime.records.trace_story import make_trace
from arp_runtime.runs.events import Feed
from arp_runtime.runs.table import Run
from arp_service.info import utc_now
from runtime.scene import Notes
from runtime.streams import execute

if TYPE_CHECKING:
    import httpx


_LOGGED = """
from arp_model import TraceLevel
from arp_runtime.records.trace import LogTrace
from arp_service.logs import configure_logging

configure_logging("info")
LogTrace().record("r", TraceLevel.DEBUG, "too_small", {})
LogTrace().record("r", TraceLevel.WARN, "worth_it", {"n": 1})
"""


async def test_what_is_told_of_runs_is_logged_as_all_else_is() -> None:
    """To stderr, in the same form, and no more of it than the level asks for: stdout is the agent's."""
    done = await anyio.run_process([sys.executable, "-c", _LOGGED])
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["run_id"], told["n"]) == ("worth_it", "warning", "r", 1)
    assert done.stdout == b""


async def test_a_trace_tells_of_a_run_what_its_events_do_not(client: httpx.AsyncClient) -> None:
    """Taken, started, with which tools, why the agent failed and where, and the end; each at its time, and in order."""
    events = await execute(client, "fail: no luck", run_id="traced")
    answer = await client.get("/v1/runs/traced/trace")
    trace = TraceResponse.from_json(answer.content).events or []
    assert [event.type_ for event in trace] == [
        "run.taken",
        "run.started",
        "tools_offered",
        "agent_failed",
        "run.ended",
    ]
    assert [event.seq for event in trace] == [0, 1, 2, 3, 4]
    assert [event.time for event in trace] == sorted(event.time for event in trace)
    assert {event.run_id for event in trace} == {"traced"}
    assert trace[2].data == {"offered_tool_ids": ["calculator", "clock", "echo"], "count": 3}
    told = trace[3].to_dict()["data"]
    assert "no luck" in told["error"]
    assert "Traceback" in told["traceback"]
    assert "Traceback" not in json.dumps([event.data for event in events])
    assert trace[4].data == {"state": "failed"}


async def test_a_run_that_is_not_there_has_no_trace(client: httpx.AsyncClient) -> None:
    """404, as of everything else that is asked of it."""
    answer = await client.get("/v1/runs/nothing/trace")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "run_not_found")


def _told(type_: str, **data: str) -> TraceTold:
    return TraceTold("r", utc_now(), TraceLevel.INFO, type_, data)


def test_the_end_of_a_long_trace_is_kept() -> None:
    """Its size is bounded, and a gap in the seqs of what is left tells how much is missing."""
    run = Run("r", b"", Feed(), Chronicle())
    for _ in range(10_000):
        run.trace.add(_told("stderr", text="x" * 100))
    assert run.size <= MAX_KEPT_BYTES
    seqs = [event.seq for event in make_trace(run).events or []]
    assert seqs == [0, *range(10_000 - len(seqs) + 2, 10_001)]
    run.trace.add(_told("agent_failed", error="y" * MAX_KEPT_BYTES))
    last = run.trace.entries()[-1]
    assert last.data["left_out_bytes"] > MAX_KEPT_BYTES
    assert len(run.trace.entries()) > 1


def test_what_comes_after_the_end_is_not_kept() -> None:
    """An agent that resists its end cannot make a trace grow that has been counted; the log still has what it says."""
    run, also = Run("r", b"", Feed(), Chronicle()), Notes()
    trace = KeptTrace(run, Chronicle(), also)
    trace.record("r", TraceLevel.INFO, "stderr", {"text": "before"})
    run.is_ending = True
    trace.record("r", TraceLevel.INFO, "stderr", {"text": "after"})
    assert [entry.data["text"] for entry in run.trace.entries()] == ["before"]
    assert also.said() == ["before", "after"]
