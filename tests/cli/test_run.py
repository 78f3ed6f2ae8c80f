"""`arpctl run`, `watch`, `result` and `cancel` against a real daemon."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from cli.arpctl import arpctl, call, read_until, started
from support.daemon import running_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon

CANCELED = 130


async def test_a_run_is_followed_and_its_answer_goes_to_stdout(url: str) -> None:
    """Stdout has the answer alone; stderr has the id, the events, and how it ended."""
    answer = await arpctl("run", "What is (19*23)?", "--run-id", "sum", url=url)
    assert (answer.code, answer.out) == (0, "(19*23) = 437\n")
    lines = answer.err.splitlines()
    assert lines[:5] == [
        "sum",
        "  step         plan  action=call_tool tool_id=calculator",
        '  tool_call    calculator(expression="(19*23)")',
        "  tool_result  calculator → 437",
        "  token        (19*23) = 437",
    ]
    assert lines[5].startswith("succeeded in ")
    assert lines[6] == "  steps=2 tool_calls=1 tokens=3"
    assert "\x1b" not in answer.err


def test_a_failed_run_says_why_and_prints_no_answer(url: str) -> None:
    """Exit code 1; stdout stays empty."""
    answer = call("run", "fail: because I say so", url=url)
    assert (answer.code, answer.out) == (1, "")
    assert "\nfailed in " in answer.err
    assert "  failed_on_purpose: because I say so\n" in answer.err


async def test_json_gives_the_result_on_stdout_and_the_events_on_stderr(url: str) -> None:
    """One document for the result, and one line for each event, nothing else."""
    answer = await arpctl("--json", "run", "hello \x1b[1m\x9b2m", url=url)
    result = json.loads(answer.out)
    assert (answer.code, result["ok"], result["output"]["answer"]) == (0, True, "hello \x1b[1m\x9b2m")
    events = [json.loads(line) for line in answer.err.splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [events[0]["type"], events[-1]["type"]] == ["step", "final"]
    assert not {"\x1b", "\x9b"} & set(answer.out + answer.err)


def test_what_an_agent_says_is_text_and_nothing_else(url: str) -> None:
    """No markup is read, no control character passes, and lines stay lines."""
    goal = "\x1b[2J[bold]one[/bold]\ntwo :smile: \x1b]0;title\x07three"
    answer = call("run", goal, url=url)
    assert answer.out == "[bold]one[/bold]\ntwo :smile: three\n"
    assert "  token        [bold]one[/bold]\n               two :smile: three\n" in answer.err
    assert "\x1b" not in answer.err


def test_the_goal_may_come_from_standard_input(url: str) -> None:
    """`-` reads it, so that it can be long, or come from a program."""
    answer = call("run", "-", url=url, stdin="-5+8\n")
    assert (answer.code, answer.out) == (0, "-5+8 = 3\n")


def test_options_reach_the_runtime(url: str) -> None:
    """Data, limits and tool policy do what they say."""
    data = '{"tool_id": "clock", "args": {"time_zone": "Asia/Tokyo"}}'
    tokyo = call("run", "now", "--data", data, "--profile", "default", url=url)
    assert tokyo.out.startswith("In Asia/Tokyo it is ")
    limited = call("run", "count to 9", "--max-tokens", "3", url=url)
    assert limited.code == 1
    assert "limit_exceeded: " in limited.err
    assert "until then: 1 2 3" in limited.err
    denied = call("run", "2+2", "--deny-tool", "echo", "--deny-tool", "calculator", url=url)
    assert denied.code == 1
    assert "tool_denied: " in denied.err


def test_a_detached_run_prints_its_id_and_can_be_watched_later(url: str) -> None:
    """Only the id, for a shell variable; `watch` shows all from the first event, `result` the answer alone."""
    detached = call("run", "count to 3", "--detach", url=url)
    assert (detached.code, detached.err) == (0, "")
    run_id = detached.out.removesuffix("\n")
    watched = call("watch", run_id, url=url)
    assert (watched.code, watched.out) == (0, "Counted to 3.\n")
    assert "  token        1 2 3\n" in watched.err
    found = call("result", run_id, url=url)
    assert (found.code, found.out) == (0, "Counted to 3.\n")


def test_the_same_command_with_an_id_shows_the_same_run(url: str) -> None:
    """A run is not executed twice; another goal under its id is refused."""
    first = call("run", "count to 2", "--run-id", "twice", url=url)
    again = call("run", "count to 2", "--run-id", "twice", url=url)
    assert again == first
    other = call("run", "count to 3", "--run-id", "twice", "--detach", url=url)
    assert other.code == 4
    assert "run_conflict (HTTP 409)" in other.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_leaving_cancels_nothing_and_says_how_to_come_back(
    number: signal.Signals, url: str, daemon: RunningDaemon
) -> None:
    """Ctrl-C ends arpctl, not the run; `cancel` ends the run, and whoever still watches sees it."""
    run_id = f"left-by-{number.name}"
    async with started("run", "count to 100000 slowly", "--run-id", run_id, url=url) as process:
        await read_until(process, "token        1")
        process.send_signal(number)
        said = await read_until(process, f"  arpctl cancel {run_id}\n")
        assert await process.wait() == 128 + number
    assert f"  arpctl watch {run_id}\n" in said
    assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "running"
    async with started("watch", run_id, url=url) as watcher:
        await read_until(watcher, "token        1")
        canceled = await arpctl("cancel", run_id, url=url)
        assert (canceled.code, canceled.out) == (0, f"{run_id}  canceled\n")
        assert "until then: 1" in await read_until(watcher, "until then: 1")
        assert await watcher.wait() == CANCELED


def test_a_run_that_has_ended_stays_as_it_is_when_it_is_canceled(url: str) -> None:
    """Cancelling twice, or too late, is no error."""
    call("run", "hello", "--run-id", "too-late", url=url)
    assert call("cancel", "too-late", url=url) == (0, "too-late  succeeded\n", "")


def test_the_result_of_a_run_that_goes_on_is_not_there_yet(url: str) -> None:
    """The daemon refuses, and says that asking again may help."""
    call("run", "count to 100000 slowly", "--run-id", "going-on", "--detach", url=url)
    early = call("result", "going-on", "--json", url=url)
    assert (early.code, early.out) == (4, "")
    assert json.loads(early.err)["error"]["code"] == "run_not_finished"
    assert (call("cancel", "going-on", "--json", url=url)).code == 0


async def test_when_the_daemon_dies_the_watcher_says_that_the_run_is_not_lost(tmp_path: Path) -> None:
    """Exit code 3, the address, and how to come back; the next daemon has the run."""
    async with running_daemon(tmp_path / "data") as daemon:
        async with started("run", "count to 30", "--run-id", "kept", url=daemon.url) as process:
            await read_until(process, "token        1")
            await daemon.kill()
            said = await read_until(process, "arpctl cancel kept")
            assert await process.wait() == 3
        assert daemon.url in said
        assert "The run is not lost." in said
        await daemon.start()
        watched = await arpctl("watch", "kept", url=daemon.url)
        assert (watched.code, watched.out) == (0, "Counted to 30.\n")


async def test_the_way_back_names_the_daemon_unless_the_environment_does(url: str) -> None:
    """A hint can be pasted into a shell as it is."""
    args = ("run", "count to 100000 slowly", "--run-id", "elsewhere", "--url", url)
    async with started(*args, url="http://127.0.0.1:1") as process:
        await read_until(process, "token        1")
        process.send_signal(signal.SIGINT)
        said = await read_until(process, f"  arpctl cancel elsewhere --url {url}\n")
    assert f"  arpctl watch elsewhere --url {url}\n" in said
    assert (await arpctl("cancel", "elsewhere", url=url)).code == 0
