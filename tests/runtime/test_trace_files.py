"""Traces: what whoever runs the runtime can read of a run afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx

from arp_model import TraceEvent
from arp_runtime.records.changes import RunBegan
from arp_runtime.records.trace_files import TraceFiles
from arp_service.info import utc_now
from runtime.streams import execute
from support.runtime import running_runtime

if TYPE_CHECKING:
    from pathlib import Path

_AGENT = '''
"""An agent that raises."""

async def agent(context):
    raise RuntimeError("the secret word is swordfish")
'''


async def _trace_of(tmp_path: Path, goal: str, *options: str) -> list[dict[str, Any]]:
    """The lines of the trace file of one run."""
    (tmp_path / "raising.py").write_text(_AGENT)
    async with (
        running_runtime("--trace-dir", "traces", *options, cwd=tmp_path) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url) as client,
    ):
        await execute(client, goal, run_id="r")
    lines = (tmp_path / "traces" / "r.jsonl").read_bytes().splitlines()
    return [TraceEvent.from_json(line).to_dict() for line in lines]


async def test_a_trace_file_tells_a_run_from_its_request_to_its_end(tmp_path: Path) -> None:
    """A TraceEvent a line, numbered without a gap: the request, each event with its data, the end."""
    trace = await _trace_of(tmp_path, "What is (19*23)?")
    assert [entry["seq"] for entry in trace] == list(range(len(trace)))
    assert [trace[0]["type"], trace[1]["type"], trace[-1]["type"]] == ["run.taken", "run.started", "run.ended"]
    assert trace[0]["data"]["request"]["input"] == {"goal": "What is (19*23)?"}
    (call,) = [entry["data"] for entry in trace if entry["type"] == "event.tool_call"]
    assert call["data"]["args"] == {"expression": "(19*23)"}


async def test_what_is_just_being_written_is_written_before_the_end(tmp_path: Path) -> None:
    """Lines that wait no more, because their writing has begun, are not done yet."""
    files = TraceFiles(tmp_path, redact_prompts=False)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(files.run)
        await anyio.wait_all_tasks_blocked()
        files.read(RunBegan("r", utc_now()))
        await anyio.lowlevel.checkpoint()
        await files.finish()
        tasks.cancel_scope.cancel()
    assert len((tmp_path / "r.jsonl").read_bytes().splitlines()) == 1


async def test_a_traceback_is_in_the_trace_alone(tmp_path: Path) -> None:
    """The result has kind and message; where it happened stands in the trace."""
    trace = await _trace_of(tmp_path, "x", "--agent", "raising:agent")
    (failed,) = [entry for entry in trace if entry["type"] == "agent_failed"]
    assert failed["level"] == "error"
    assert "raising.py" in failed["data"]["traceback"]
    (last,) = [entry for entry in trace if entry["type"] == "event.error"]
    assert "raising.py" not in json.dumps(last)


async def test_redacted_traces_hold_no_text_of_anybody(tmp_path: Path) -> None:
    """Goal, arguments, results and answer are lengths; which tool was called, and how it went, is still told."""
    trace = await _trace_of(tmp_path, "What is (19*23)?", "--redact-prompts")
    text = json.dumps(trace)
    assert "19*23" not in text
    assert '"437"' not in text
    assert trace[0]["data"]["request"]["input"]["goal"] == "[16 characters]"
    (call,) = [entry["data"]["data"] for entry in trace if entry["type"] == "event.tool_call"]
    assert (call["tool_id"], call["args"]) == ("calculator", {"expression": "[7 characters]"})


async def test_redacted_traces_hold_no_traceback(tmp_path: Path) -> None:
    """What an exception says may be somebody's prompt too."""
    trace = await _trace_of(tmp_path, "x", "--agent", "raising:agent", "--redact-prompts")
    assert "swordfish" not in json.dumps(trace)
