"""A runtime that lies fails its own runs, and harms neither the daemon nor another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from support.daemon import running_daemon
from support.liars import put_liar

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon

_WORDS = [
    "bad-json",
    "cut-json",
    "gap",
    "gap-at-the-end",
    "again-different",
    "ok-in-error",
    "no-result",
    "unheard-of-type",
    "nested",
]
_ANSWERS = ["500", "redirect", "html", "other", "odd-id", "nested", "endless", "zipped", "garble"]
_CALLS = [f"{call}-{lie}" for call in ("hand-over", "status", "result") for lie in _ANSWERS]
_STREAMS = ["500", "redirect", "html", "zipped", "garble", "closed", "odd-cursor", "endless-event"]
# Whatever it reads, the daemon holds no more than a few of the largest answers at once.
_MAX_MEMORY_BYTES = 400 * 1024 * 1024


async def _ends(daemon: RunningDaemon, goals: list[str], **parts: Any) -> dict[str, str]:
    """How runs with these goals end, all at once: an error's code, or `ok`."""
    ends: dict[str, str] = {}

    async def run(goal: str) -> None:
        result = await daemon.result(await daemon.submit(goal, **parts))
        ends[goal] = "ok" if result["ok"] else result["error"]["code"]

    async with anyio.create_task_group() as tasks:
        for goal in goals:
            tasks.start_soon(run, goal)
    return ends


async def _assert_unharmed(daemon: RunningDaemon) -> None:
    assert (await daemon.get("/v1/health"))["status"] == "ok"
    assert psutil.Process(daemon.process.pid).memory_info().rss < _MAX_MEMORY_BYTES


@pytest.mark.parametrize("features", [["events"], ["run.events"]])
async def test_senseless_events_fail_their_run_alone(daemon: RunningDaemon, features: list[str]) -> None:
    """Each kind is a runtime_error; the runs beside them, at the same instance, end well."""
    await put_liar(daemon, *features, concurrency=64, stop_grace_s=60)
    ends = await _ends(daemon, ["before", *_WORDS, "after"])
    assert ends == {"before": "ok", **dict.fromkeys(_WORDS, "runtime_error"), "after": "ok"}
    assert len(await daemon.instances()) == 1
    await _assert_unharmed(daemon)


async def test_an_event_without_end_costs_its_run_alone(daemon: RunningDaemon) -> None:
    """Though it came by the stream of all: the other runs are followed one by one from there on."""
    await put_liar(daemon, "events", "run.events", concurrency=64, stop_grace_s=60)
    ends = await _ends(daemon, ["before", "endless-event", "after"])
    assert ends == {"before": "ok", "endless-event": "runtime_error", "after": "ok"}
    await _assert_unharmed(daemon)


async def test_senseless_answers_fail_their_run_alone(daemon: RunningDaemon) -> None:
    """To the hand-over, about the status, and for the result; no redirect is followed, no body read to its end."""
    await put_liar(daemon, concurrency=64, stop_grace_s=60)
    lies = [*_CALLS, "status-back", "result-early", "result-mismatch"]
    ends = await _ends(daemon, ["before", *lies, "after"])
    assert ends == {"before": "ok", **dict.fromkeys(lies, "runtime_error"), "after": "ok"}
    assert len(await daemon.instances()) == 1
    await _assert_unharmed(daemon)


async def test_where_the_stream_of_all_events_is_nonsense_runs_are_followed_one_by_one(daemon: RunningDaemon) -> None:
    """Or asked about: what a runtime announces and does not have costs no run."""
    ends: dict[str, dict[str, str]] = {}

    async def run_at(lie: str) -> None:
        await put_liar(daemon, "events", f"stream-{lie}", name=lie)
        ends[lie] = await _ends(daemon, ["a", "b"], runtime_selector={"runtime_profile": lie})

    async with anyio.create_task_group() as tasks:
        for lie in _STREAMS:
            tasks.start_soon(run_at, lie)
    assert ends == {lie: {"a": "ok", "b": "ok"} for lie in _STREAMS}
    await _assert_unharmed(daemon)


async def test_a_runtime_that_says_nothing_is_bounded_by_the_time_of_its_runs(daemon: RunningDaemon) -> None:
    """It may be working: silence, and answers that never end, are no lie until the run's time is over."""
    await put_liar(daemon, concurrency=64, stop_grace_s=60)
    silent = ["deaf", "status-drip", "result-drip"]
    ends = await _ends(daemon, silent, limits={"timeout_ms": 500})
    assert ends == dict.fromkeys(silent, "limit_exceeded")


async def test_what_a_liar_said_is_in_the_trace_without_secrets(tmp_path: Path) -> None:
    """Cut, and with what the instance was given hidden."""
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "key").write_text("oh no")
    async with running_daemon(tmp_path / "data", "--secrets-dir", str(secrets), "--drain-grace-s", "0.1") as daemon:
        await put_liar(daemon, "events", concurrency=64, stop_grace_s=60, env_from={"KEY": {"file": "key"}})
        run_id = await daemon.submit("bad-json")
        assert (await daemon.result(run_id))["error"]["code"] == "runtime_error"
        entries = (await daemon.get(f"/v1/runs/{run_id}/trace"))["events"]
        (ended,) = [entry for entry in entries if entry["type"] == "attempt.ended"]
        assert ended["data"]["said"] == f'{{"run_id": "{run_id}", "seq": 1, ****'
