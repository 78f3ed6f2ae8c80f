"""How a run ended, in words; and what went wrong with a call."""

from __future__ import annotations

from typing import Any

import pytest

from arp_cli.ending import answer, describe_end
from arp_cli.failure import envelope, explain
from arp_cli.session import Session
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpTimeoutError
from arp_sdk.models import RunResult, RunStatus

TIMES = {"started_at": "2026-01-02T03:04:05Z", "ended_at": "2026-01-02T03:04:06.5Z"}
SESSION = Session("http://127.0.0.1:9", json=False)


def described(state: str, result: dict[str, Any], **status: Any) -> list[str]:
    found = describe_end(
        RunStatus.from_dict({"run_id": "r", "state": state, **status}), RunResult.from_dict({"run_id": "r", **result})
    )
    return [line.plain for line in found]


def explained(error: ArpApiError) -> list[str]:
    return [line.plain for line in explain(error, SESSION)]


def test_a_run_that_succeeded_is_told_in_a_line() -> None:
    """How long, where, and what it took."""
    result = {"ok": True, "usage": {"steps": 2}}
    assert described("succeeded", result, runtime_instance_id="i1", **TIMES) == [
        "succeeded in 1.5 s on i1",
        "  steps=2",
    ]


def test_a_run_that_failed_tells_why_and_what_it_had_said() -> None:
    """Code, message, details with their lines, and the output so far."""
    error = {"code": "bad\x1b[1m", "message": "It broke.", "details": {"n": 1, "stderr_tail": "one\ntwo"}}
    assert described("failed", {"ok": False, "error": error, "output": {"answer": "So far"}}) == [
        "failed",
        "  bad: It broke.",
        "  n: 1",
        "  stderr_tail: one\n    two",
        "  until then: So far",
    ]


@pytest.mark.parametrize(
    ("output", "expected"),
    [({"answer": "yes", "more": 1}, "yes"), ({"n": [1]}, '{\n  "n": [\n    1\n  ]\n}'), ({}, "{}"), (None, "")],
)
def test_an_output_without_an_answer_in_words_is_json(output: Any, expected: str) -> None:
    """Its shape is the agent's own."""
    fields = {"run_id": "r", "ok": True, **({} if output is None else {"output": output})}
    assert answer(RunResult.from_dict(fields)) == expected


def test_an_error_of_the_daemon_shows_message_code_and_details() -> None:
    """For people; programs get the envelope as it was sent."""
    raw = {"error": {"code": "run_conflict", "message": "Taken.", "retryable": False}}
    error = ArpApiError("run_conflict", "Taken.", details={"run_id": "r", "n": [1]}, status_code=409, raw=raw)
    assert explained(error) == ["arpctl: Taken.", "  run_conflict (HTTP 409)", "  run_id: r", "  n: [1]"]
    assert envelope(error) == raw


def test_a_detail_is_shown_with_its_lines_and_not_where_it_is_empty() -> None:
    """Such as the last words of a program that did not start, where it had any."""
    error = ArpApiError("c", "M.", details={"stderr_tail": "one\ntwo\n", "other": ""}, status_code=422)
    assert explained(error) == ["arpctl: M.", "  c (HTTP 422)", "  stderr_tail: one\n    two"]


@pytest.mark.parametrize(
    "error", [ArpConnectionError("connection_lost", "It broke."), ArpTimeoutError("timeout", "Late.")]
)
def test_a_connection_that_failed_names_the_address(error: ArpApiError) -> None:
    """Programs get an envelope all the same."""
    assert explained(error) == [f"arpctl: The connection to {SESSION.url} failed: {error.message}"]
    assert envelope(error) == {"error": {"code": error.code, "message": error.message}}
