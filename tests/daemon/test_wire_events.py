"""Run events as they pass through."""

from __future__ import annotations

import json

import pytest

from arp_daemon.wire_events import (
    ProtocolError,
    decode_event,
    encode_event,
    error_result,
    last_event,
    read_result,
    state_of,
)
from arp_model import ErrorDetail, RunEvent, RunState
from arp_service.info import utc_now

_TIME = "2026-01-02T03:04:05Z"


def _line(**parts: object) -> bytes:
    return json.dumps({"run_id": "t1", "seq": 0, "type": "final", "time": _TIME, **parts}).encode()


def test_an_event_goes_on_under_the_daemons_id_and_seq_with_its_data_untouched() -> None:
    """Only the id and the seq change."""
    event = decode_event(_line(type="token", data={"text": "é", "n": 12345678901234567890}))
    stored = json.loads(encode_event(event, "r1", 7))
    assert stored == {
        "run_id": "r1",
        "seq": 7,
        "type": "token",
        "time": _TIME,
        "data": {"text": "é", "n": 12345678901234567890},
    }


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        _line(type="other"),
        _line(seq=-1),
        _line(seq="0"),
        _line(time="yesterday"),
        _line(time="2026-01-02T03:04:05"),
        _line(extra=1),
        b'{"data":' + b"[" * 5000,
        _line(data=[1]),
        _line(data={"a": 1}).replace(b"1}", b'"\xff"}'),
        _line(data={"a": 1}).replace(b"1}", b"1e999}"),
        _line(data={"a": 1}).replace(b"1}", b"[" * 300 + b"]" * 300 + b"}"),
    ],
)
def test_what_is_no_run_event_is_refused(line: bytes) -> None:
    """Wrong types, unknown fields, times without a zone and broken JSON."""
    with pytest.raises(ProtocolError):
        decode_event(line)


@pytest.mark.parametrize(
    ("type_", "data", "state"),
    [
        ("final", {"ok": True, "output": {"a": 1}}, RunState.SUCCEEDED),
        ("error", {"ok": False, "error": {"code": "x", "message": "y"}}, RunState.FAILED),
        ("error", {"ok": False, "error": {"code": "canceled", "message": "y"}}, RunState.CANCELED),
    ],
)
def test_a_last_event_brings_the_result_and_the_state(type_: str, data: dict[str, object], state: RunState) -> None:
    """Its data is the RunResult without the run id."""
    result = read_result(decode_event(_line(type=type_, data=data)), "r1")
    assert result.run_id == "r1"
    assert state_of(result) is state


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("final", {"ok": False}),
        ("error", {"ok": True}),
        ("final", {}),
        ("final", {"ok": "yes"}),
        ("error", {"ok": False, "x": 1}),
    ],
)
def test_a_last_event_that_is_no_result_is_refused(type_: str, data: dict[str, object]) -> None:
    """`ok` has to fit the type, and nothing unknown may be in it."""
    with pytest.raises(ProtocolError):
        read_result(decode_event(_line(type=type_, data=data)), "r1")


def test_the_daemons_own_last_event_reads_like_any_other() -> None:
    """What it writes is a RunEvent whose data brings the same result back."""
    result = error_result("r1", ErrorDetail(code="instance_lost", message="m", retryable=True))
    line = last_event(result, 3, utc_now())
    assert RunEvent.from_json(line).seq == 3
    assert read_result(decode_event(line), "r1") == result
