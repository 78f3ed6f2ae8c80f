"""Reading what another release of a service wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from arp_model import Health, RunListResponse, RunResult, RunStatus, ToolDefinition, convert_lenient, decode_lenient

TOOL = {"tool_id": "t", "name": "n", "input_schema": {"type": "object", "new": 1}, "source": "remote"}


def test_unknown_fields_are_left_out_at_every_level() -> None:
    """A field that a later release added is skipped, in objects, lists and optional parts alike."""
    read = decode_lenient(
        b'{"runs": [{"run_id": "r", "state": "queued", "new": 1}], "pagination": {"page_size": 5, "new": 1}, "new": 1}',
        RunListResponse,
    )
    assert read.to_dict() == {"runs": [{"run_id": "r", "state": "queued"}], "pagination": {"page_size": 5}}


def test_optional_lists_are_read_leniently_too() -> None:
    """A list that need not be there is looked into as well."""
    checks = [{"name": "store", "status": "ok", "new": 1}]
    read = convert_lenient({"status": "ok", "time": "2025-06-01T12:00:00Z", "checks": checks}, Health)
    assert read.to_dict()["checks"] == [{"name": "store", "status": "ok"}]


def test_free_objects_are_kept_whole() -> None:
    """What has no schema of its own has no unknown fields."""
    output = {"any": {"thing": [1]}}
    assert convert_lenient({"run_id": "r", "ok": True, "output": output, "new": 1}, RunResult).output == output


def test_a_bare_list_is_read_leniently() -> None:
    """The tool registry answers with a list."""
    [tool] = convert_lenient([{**TOOL, "new": 1}], list[ToolDefinition])
    assert tool.to_dict() == TOOL


@pytest.mark.parametrize(
    "value", [{"run_id": 1, "state": "queued"}, {"run_id": "r", "state": "new"}, {"state": "queued", "x": 1}, []]
)
def test_what_is_known_must_still_be_right(value: Any) -> None:
    """Lenient is for fields that are unknown, not for values that are wrong."""
    with pytest.raises(msgspec.ValidationError):
        convert_lenient(value, RunStatus)
    with pytest.raises(msgspec.ValidationError):
        decode_lenient(msgspec.json.encode(value), RunStatus)


def test_what_is_not_json_is_a_decode_error() -> None:
    """Text that is no JSON is never read."""
    with pytest.raises(msgspec.DecodeError):
        decode_lenient(b"<html>", RunStatus)
