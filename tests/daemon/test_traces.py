"""The trace of a run: the whole story, whatever its runtimes add to it."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import support
from arp_daemon.instances import InstanceManager
from arp_daemon.open_runs import OpenRuns
from arp_daemon.redaction import Redactor
from arp_daemon.run_queue import RunQueue
from arp_daemon.run_traces import RunTraces
from arp_daemon.runs import RunManager
from arp_daemon.starter import Starter
from arp_daemon.store import Append, NewRun, StoredEvents, open_sqlite_store
from arp_daemon.wire_events import new_event
from arp_model import RunEventType
from arp_service.stopping import Stop
from support.daemon import running_daemon
from support.waiting import until_answer

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

_FORKED: dict[str, Any] = {"driver": "runtime", "template": "arp_runtime.cli:main", "max": 1}
_TRACER = Path(support.__path__[0]) / "bestiary" / "tracer.py"
_TOLD_BADLY = {
    "silent": "no answer",
    "endless": "more than",
    "error": "500",
    "junk": "no TraceResponse",
    "another": "another run",
    "deep": "nests too deep",
    "timeless": "$.events[0].time",
}


async def _trace(daemon: RunningDaemon, run_id: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await daemon.get(f"/v1/runs/{run_id}/trace"))["events"]
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))
    assert {entry["run_id"] for entry in entries} == {run_id}
    return entries


def _types(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["type"] for entry in entries]


def _attempts(entries: list[dict[str, Any]]) -> list[int]:
    return [entry["data"]["attempt"] for entry in entries if entry["type"] == "run.dispatched"]


async def test_the_trace_tells_the_whole_story_with_what_the_runtime_adds(daemon: RunningDaemon) -> None:
    """Queued, dispatched, what the runtime did and why it failed, each event, the attempt's outcome, the end."""
    run_id = await daemon.submit("fail: no luck")
    await daemon.end(run_id)
    entries = await _trace(daemon, run_id)
    types = _types(entries)
    assert types[:4] == ["run.queued", "run.dispatched", "runtime.run.taken", "runtime.run.started"]
    assert types[-1] == "run.failed"
    assert {"event.error", "runtime.agent_failed", "runtime.run.ended", "attempt.ended"} <= set(types)
    assert types.index("runtime.agent_failed") < types.index("event.error") < types.index("attempt.ended")
    by_type = {entry["type"]: entry for entry in entries}
    assert by_type["run.queued"]["data"] == {"runtime_profile": "default"}
    assert by_type["attempt.ended"]["data"]["outcome"] == "failed"
    assert (by_type["run.failed"]["level"], by_type["run.failed"]["data"]["error"]["code"]) == (
        "error",
        "failed_on_purpose",
    )
    told = by_type["runtime.agent_failed"]["data"]
    assert told["attempt"] == by_type["run.dispatched"]["data"]["attempt"] == 1
    assert "Traceback" in told["data"]["traceback"]


@pytest.mark.parametrize(("bound", "most"), [("_MAX_EVENTS", 10), ("_MAX_EVENT_BYTES", 600)])
async def test_a_long_run_says_how_much_its_trace_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    """The first events, and how many there are more, whether they are too many or too large."""
    monkeypatch.setattr(f"arp_daemon.run_traces.{bound}", most)
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    async with open_sqlite_store(tmp_path / "store.sqlite3") as store:
        [run] = await store.insert_runs([NewRun("long", b'{"input":{"goal":"x"}}', now)])
        assert run is not None
        bodies = [new_event("long", seq, RunEventType.TOKEN, now, {"text": "x" * 100_000}) for seq in range(30)]
        for seq, body in enumerate(bodies):
            await store.append(Append([StoredEvents(run.position, seq, ("token",), body)]))
        redactor = Redactor()
        instances = InstanceManager(store, Starter(store, redactor))
        runs = RunManager(store, OpenRuns(store, RunQueue(), Stop()))
        trace = (await RunTraces(store, runs, instances, redactor).read("long")).events or []
    shown = [event.data for event in trace if event.type_ == "event.token"]
    [left_out] = [event.data for event in trace if event.type_ == "events.left_out"]
    assert left_out == {"count": 30 - len(shown)}
    assert 0 < len(shown) < 30
    assert [data["seq"] for data in shown if data] == list(range(len(shown)))


async def test_a_runtime_that_lies_spoils_no_trace(tmp_path: Path) -> None:
    """Whatever it answers, or does not: the daemon's own story, and one entry that says what was wrong."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("k-4711-secret")
    async with running_daemon(tmp_path / "data", "--secrets-dir", str(secrets)) as daemon:
        command = [sys.executable, str(_TRACER), "{host}", "{port}"]
        await daemon.put_profile(driver="command", command=command, env_from={"SECRET": {"file": "key"}})
        traces: dict[str, list[dict[str, Any]]] = {}

        async def run(goal: str) -> None:
            run_id = await daemon.submit(goal)
            await daemon.end(run_id)
            traces[goal] = await _trace(daemon, run_id)

        async with anyio.create_task_group() as tasks:
            for goal in (*_TOLD_BADLY, "k-4711-secret", "empty"):
                tasks.start_soon(run, goal)
    own = ["run.queued", "run.dispatched", "event.final", "attempt.ended", "run.succeeded"]
    for goal, reason in _TOLD_BADLY.items():
        types = _types(traces[goal])
        assert [t for t in types if t != "runtime.trace_unavailable"] == own
        [entry] = [e for e in traces[goal] if e["type"] == "runtime.trace_unavailable"]
        assert reason in entry["data"]["reason"], entry
        assert (entry["level"], entry["data"]["attempt"]) == ("warn", 1)
        assert types[-1] == "run.succeeded"
    assert _types(traces["empty"]) == own
    said = traces["k-4711-secret"]
    assert _types(said)[:3] == ["run.queued", "run.dispatched", "runtime.said"]
    assert said[2]["data"]["data"] == {"text": "****", "secret": "****"}
    assert said[2]["time"].startswith("2001-")


async def test_what_instances_had_told_is_gone_with_them_and_the_story_stays(daemon: RunningDaemon) -> None:
    """Each attempt stands there with its number and outcome, also those whose instances are gone."""
    await daemon.put_profile("default", **_FORKED, retries=1)
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    [pid] = [i["extensions"]["arp.pid"] for i in await daemon.instances() if i["extensions"]["arp.runs"]]
    os.kill(pid, signal.SIGKILL)
    entries = await until_answer(
        lambda: _trace(daemon, run_id),
        lambda found: _attempts(found) == [1, 2] and "runtime.run.started" in _types(found),
    )
    [ended] = [entry["data"] for entry in entries if entry["type"] == "attempt.ended"]
    assert (ended["attempt"], ended["outcome"]) == (1, "instance_lost")
    assert {e["data"]["attempt"] for e in entries if e["type"].startswith("runtime.")} == {2}
    await daemon.client.post(f"/v1/runs/{run_id}:cancel")
    await daemon.end(run_id)
    types = _types(await _trace(daemon, run_id))
    assert "run.cancel_requested" in types
    assert types[-1] == "run.canceled"
