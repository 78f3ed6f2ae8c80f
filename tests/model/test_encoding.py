"""What the generated types write."""

from __future__ import annotations

from datetime import datetime, timezone

from arp_model import UNSET, RunEvent, RunEventType, RunRequest, RunRequestInput, RunState, RunStatus

NOON = datetime(2025, 6, 1, 12, tzinfo=timezone.utc)


def test_fields_are_written_under_their_names_on_the_wire() -> None:
    """`input_` and `type_` are Python's names only."""
    assert RunRequest(RunRequestInput("x")).to_json() == b'{"input":{"goal":"x"}}'
    event = RunEvent("r", 0, RunEventType.STEP, NOON)
    assert event.to_json() == b'{"run_id":"r","seq":0,"type":"step","time":"2025-06-01T12:00:00Z"}'


def test_to_dict_gives_plain_values() -> None:
    """Enums become words and times become text, so that any JSON library can go on."""
    status = RunStatus("r", RunState.RUNNING, started_at=NOON)
    assert status.to_dict() == {"run_id": "r", "state": "running", "started_at": "2025-06-01T12:00:00Z"}


def test_absent_stays_absent_through_every_form() -> None:
    """A field that was not given is not there after encoding, and UNSET after decoding again."""
    request = RunRequest.from_dict({"input": {"goal": "x"}})
    assert request.limits is UNSET
    assert RunRequest.from_json(request.to_json()).to_dict() == {"input": {"goal": "x"}}


def test_an_empty_object_is_not_absent() -> None:
    """`{}` is kept as it was sent."""
    assert RunRequest.from_json('{"input":{"goal":"x","data":{}},"limits":{}}').to_dict() == {
        "input": {"goal": "x", "data": {}},
        "limits": {},
    }


def test_an_event_is_one_line() -> None:
    """Line ends in text are escaped, so an event fits into one `data:` line."""
    event = RunEvent("r", 0, RunEventType.TOKEN, NOON, {"text": "a\r\nb\u2028c"})
    assert b"\n" not in event.to_json()
    assert b"\r" not in event.to_json()


def test_times_are_written_in_utc_with_the_short_mark() -> None:
    """Aware UTC is written with `Z`, down to microseconds."""
    status = RunStatus("r", RunState.RUNNING, started_at=NOON.replace(microsecond=120))
    assert status.to_dict()["started_at"] == "2025-06-01T12:00:00.000120Z"
