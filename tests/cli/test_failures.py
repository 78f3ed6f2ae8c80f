"""What goes wrong, and what arpctl says then: the cause, the cure, and an exit code for scripts."""

from __future__ import annotations

import json
import os
import socket

import anyio
import pytest

from cli.arpctl import PATIENCE_S, call, command, environment

USAGE, UNREACHABLE, REFUSED, BROKEN_PIPE = 2, 3, 4, 141


@pytest.fixture
def nowhere() -> str:
    """An address where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("words", [("run", "hello"), ("runs",), ("status",), ("watch", "r1"), ("cancel", "r1")])
def test_without_a_daemon_the_address_and_the_cure_are_named(words: tuple[str, ...], nowhere: str) -> None:
    """Exit code 3, two lines, no traceback."""
    answer = call(*words, url=nowhere)
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    first, second = answer.err.splitlines()
    assert first.startswith(f"arpctl: There is no connection to {nowhere}: ")
    assert "arp-daemon serve" in second


def test_without_a_daemon_json_says_so_too(nowhere: str) -> None:
    """Programs get an ErrorEnvelope on stderr."""
    answer = call("runs", "--json", url=nowhere)
    assert (answer.code, answer.out) == (UNREACHABLE, "")
    assert json.loads(answer.err)["error"]["code"] == "connection_failed"


def test_the_flag_wins_over_the_environment(url: str, nowhere: str) -> None:
    """`--url` counts before the command and after it."""
    assert (call("--url", url, "runs", url=nowhere)).code == 0
    assert (call("runs", "--url", f"{url}/", url=nowhere)).code == 0
    assert (call("runs", "--url", nowhere, url=url)).code == UNREACHABLE


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "x", "--profile", "nope"), "runtime_profile_not_found"),
        (("run", "x", "--instance", "nope"), "instance_not_found"),
        (("run", "x", "--run-id", "a b"), "invalid_request"),
        (("watch", "nope"), "run_not_found"),
        (("result", "nope"), "run_not_found"),
        (("cancel", "nope"), "run_not_found"),
        (("cancel", "../x"), "not_found"),
        (("runs", "--page-token", "zz"), "invalid_page_token"),
    ],
)
def test_what_the_daemon_refuses_is_told_with_its_code(words: tuple[str, ...], code: str, url: str) -> None:
    """Exit code 4: message, code and status for people."""
    answer = call(*words, url=url)
    assert (answer.code, answer.out) == (REFUSED, "")
    assert answer.err.startswith("arpctl: ")
    assert f"\n  {code} (HTTP 4" in answer.err
    assert "Traceback" not in answer.err


def test_what_the_daemon_refuses_reaches_programs_as_it_was_sent(url: str) -> None:
    """The ErrorEnvelope, on one line."""
    answer = call("result", "nope", "--json", url=url)
    assert json.loads(answer.err) == {
        "error": {"code": "run_not_found", "message": "Run 'nope' does not exist.", "details": {"run_id": "nope"}}
    }


def test_a_service_that_is_no_daemon_is_told_as_such(url: str) -> None:
    """A runtime has no instances to list; its error is shown like any other."""
    call("run", "hello", url=url)
    (instance,) = json.loads(call("instances", "--json", url=url).out)["instances"]
    answer = call("instances", url=instance["runtime_api_endpoint"])
    assert answer.code == REFUSED
    assert "not_found (HTTP 404)" in answer.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("run",), "GOAL requires an argument"),
        (("run", "two", "words"), "needs quotes"),
        (("run", "x", "--nope"), "Unknown option: --nope."),
        (("run", "--profil", "shout", "x"), "Unknown option: --profil."),
        (("run", "--max-steps=3", "--nope=1", "x"), "Unknown option: --nope."),
        (("run", "x", "--max-step", "1"), "--max-steps"),
        (("run", "x", "--max-steps", "0"), "$.limits.max_steps"),
        (("run", "x", "--max-steps", "some"), "--max-steps"),
        (("run", "x", "--label", "some"), "KEY=VALUE"),
        (("run", "x", "--context", "[]"), "JSON object"),
        (("runs", "--limit", "0"), "--limit"),
        (("runs", "--limit", "1001"), "--limit"),
        (("runs", "--all", "--page-token", "t"), "--all: it begins with the newest run; leave out --page-token."),
        (("runs", "--label", "some"), "--label: 'some' must be KEY=VALUE."),
        (("runs", "--state", "over"), "--state"),
        (("logs", "x", "--lines", "10001"), "--lines"),
        (("logs", "x", "--stream", "both"), "--stream"),
        (("logs", "x", "--follow", "--json"), "--follow"),
        (("rums",), 'Did you mean "runs"?'),
        (("runs", "--url", "daemon"), "--url"),
        (("runs", "--url", "http://a\x7fb"), "--url"),
        (("runs", "--url", "http://[::1"), "--url"),
        (("runs", "--url", "http://h:99999"), "--url"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_explained(words: tuple[str, ...], reason: str, nowhere: str) -> None:
    """Exit code 2, before anything is sent."""
    answer = call(*words, url=nowhere)
    assert (answer.code, answer.out) == (USAGE, "")
    assert answer.err.startswith("arpctl: ")
    assert reason in answer.err


def test_the_help_teaches(nowhere: str) -> None:
    """Every command explains itself with an example, and the whole lists the exit codes; no daemon is needed."""
    whole = call("--help", url=nowhere)
    assert whole.code == 0
    assert 'arpctl run "What is (19*23)?"' in whole.out
    assert "  130  the run was canceled" in whole.out
    for word in ("run", "watch", "result", "cancel", "runs", "instances", "logs", "profiles", "status"):
        assert f"│ {word} " in whole.out
        part = call(word, "--help", url=nowhere)
        assert part.code == 0
        assert f"\n  arpctl {word}" in part.out
        assert "--url" in part.out
        assert "--json" in part.out


async def test_a_reader_that_has_enough_is_no_error(url: str) -> None:
    """`arpctl ... | head -1` ends without a word, and not as if a run had failed."""
    reading, writing = os.pipe()
    os.close(reading)
    with anyio.fail_after(PATIENCE_S):
        done = await anyio.run_process(
            command("profiles", "--json"), stdout=writing, check=False, env=environment(ARP_DAEMON_URL=url)
        )
    os.close(writing)
    assert (done.returncode, done.stderr) == (BROKEN_PIPE, b"")
