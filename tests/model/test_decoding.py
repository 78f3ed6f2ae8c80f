"""What the generated types refuse. Most of it the generator alone would let pass."""

from __future__ import annotations

import inspect
import signal
from datetime import datetime, timezone
from enum import Enum, EnumMeta
from typing import Any, NoReturn

import msgspec
import pytest

import arp_model
from arp_model import (
    UNSET,
    InstanceCreateRequest,
    Model,
    Pagination,
    RunBatchItem,
    RunBatchRequest,
    RunEvent,
    RunRequest,
    RunState,
    RunStatus,
    RuntimeInstance,
    ToolInvocationRequest,
    VersionInfo,
)
from arp_model._base import decode

MODELS = sorted(
    (item for item in vars(arp_model).values() if inspect.isclass(item) and issubclass(item, Model)),
    key=lambda model: model.__name__,
)


def refuse(type_: type[Model], json: str, says: str) -> None:
    """Expect a document to be refused with a message, both as JSON and as plain values."""
    with pytest.raises(msgspec.ValidationError) as caught:
        type_.from_json(json)
    assert says in str(caught.value)
    with pytest.raises(msgspec.ValidationError) as caught:
        type_.from_dict(msgspec.json.decode(json))
    assert says in str(caught.value)


@pytest.mark.parametrize("model", MODELS)
def test_every_type_refuses_unknown_fields(model: type[Model]) -> None:
    """`additionalProperties: false`, which the generator forgets for msgspec, holds for every type."""
    assert model.__struct_config__.forbid_unknown_fields


def test_an_unknown_field_is_refused_and_its_place_is_named() -> None:
    """A misspelt field deep in a document is an error that says where."""
    refuse(RunRequest, '{"input": {"goal": "x", "gaol": 1}}', "unknown field `gaol` - at `$.input`")


def test_a_missing_field_is_refused_and_its_place_is_named() -> None:
    """A required field cannot be left out."""
    refuse(RunRequest, '{"input": {}}', "required field `goal` - at `$.input`")


@pytest.mark.parametrize("goal", ["1", "null", "true", '["x"]', '{"text": "x"}'])
def test_a_value_of_another_type_is_refused(goal: str) -> None:
    """Nothing is coerced: a number is no text, and null is not the same as absent."""
    refuse(RunRequest, f'{{"input": {{"goal": {goal}}}}}', "Expected `str`")


def test_a_number_as_text_is_refused_where_a_number_is_asked() -> None:
    """Nothing is coerced the other way round either."""
    refuse(RunRequest, '{"input": {"goal": "x"}, "limits": {"timeout_ms": "1"}}', "$.limits.timeout_ms")


@pytest.mark.parametrize(
    ("type_", "json", "place"),
    [
        (RunRequest, '{"input": {"goal": "x"}, "limits": {"timeout_ms": -1}}', "$.limits.timeout_ms"),
        (RunRequest, '{"input": {"goal": "x"}, "limits": {"max_steps": 0}}', "$.limits.max_steps"),
        (InstanceCreateRequest, '{"runtime_profile": "p", "count": 0}', "$.count"),
        (Pagination, '{"page_size": 0}', "$.page_size"),
        (Pagination, '{"page_size": 1001}', "$.page_size"),
        (RunBatchRequest, '{"runs": []}', "$.runs"),
        (
            VersionInfo,
            '{"service_name": "x", "service_version": "1", "supported_api_versions": []}',
            "$.supported_api_versions",
        ),
    ],
)
def test_a_value_out_of_bounds_is_refused(type_: type[Model], json: str, place: str) -> None:
    """Minimum, maximum and the least number of items are checked."""
    refuse(type_, json, place)


@pytest.mark.parametrize("key", ["name", ".name", "-a.b", "org.", "or g.x", "org.x ", "org.x\\n", ""])
def test_an_extension_key_without_a_namespace_is_refused(key: str) -> None:
    """Keys of `extensions` match the schema's pattern to their very end, in every type that has extensions."""
    refuse(RunRequest, f'{{"input": {{"goal": "x"}}, "extensions": {{"{key}": 1}}}}', "$.extensions")
    refuse(RunStatus, f'{{"run_id": "x", "state": "queued", "extensions": {{"{key}": 1}}}}', "$.extensions")


def test_an_extension_key_with_a_namespace_may_hold_anything() -> None:
    """The value of an extension is any JSON."""
    request = RunRequest.from_json('{"input": {"goal": "x"}, "extensions": {"arp.x": {"a": [1, null]}, "a.b": 1}}')
    assert request.extensions == {"arp.x": {"a": [1, None]}, "a.b": 1}


@pytest.mark.parametrize("time", ["2025-06-01T12:00:00", "2025-06-01", "soon", "1748779200"])
def test_a_time_without_a_zone_is_refused(time: str) -> None:
    """A date-time is RFC 3339, which wants an offset."""
    refuse(RunStatus, f'{{"run_id": "x", "state": "running", "started_at": "{time}"}}', "$.started_at")


def test_a_time_is_an_aware_datetime() -> None:
    """A date-time comes out as a time, not as text."""
    status = RunStatus.from_json('{"run_id": "x", "state": "running", "started_at": "2025-06-01T14:00:00+02:00"}')
    assert status.started_at == datetime(2025, 6, 1, 12, tzinfo=timezone.utc)


def test_a_word_that_an_enum_does_not_have_is_refused() -> None:
    """A state that the standard does not know is an error."""
    refuse(RunStatus, '{"run_id": "x", "state": "cancelled"}', "$.state")


def test_a_default_in_the_schema_does_not_become_a_value() -> None:
    """What is absent stays absent; to apply the default is the service's business."""
    assert InstanceCreateRequest.from_json('{"runtime_profile": "p"}').count is UNSET
    instance = RuntimeInstance.from_dict(
        {"instance_id": "i", "state": "ready", "runtime_api_endpoint": "http://127.0.0.1:1"}
    )
    assert instance.managed is UNSET
    assert "managed" not in instance.to_dict()
    assert b"managed" not in instance.to_json()


def test_a_tool_call_that_names_no_tool_is_refused() -> None:
    """`anyOf` of ToolInvocationRequest: decoding and constructing both want `tool_id` or `tool_name`."""
    refuse(ToolInvocationRequest, '{"invocation_id": "i", "args": {}}', "`tool_id`, `tool_name`")
    with pytest.raises(ValueError, match="`tool_id`, `tool_name`"):
        ToolInvocationRequest("i", {})


@pytest.mark.parametrize("names", [{"tool_id": "t"}, {"tool_name": "t"}, {"tool_id": "t", "tool_name": "t"}])
def test_a_tool_call_may_name_its_tool_either_way(names: dict[str, Any]) -> None:
    """One type stands for both branches of the `anyOf`."""
    call = ToolInvocationRequest.from_dict({"invocation_id": "i", "args": {}, **names})
    assert call == ToolInvocationRequest("i", {}, **names)


@pytest.mark.parametrize(
    "item", ["{}", '{"status": {"run_id": "r", "state": "queued"}, "error": {"code": "c", "message": "m"}}']
)
def test_a_batch_item_is_either_a_run_or_an_error(item: str) -> None:
    """`oneOf` of RunBatchItem: neither and both are refused."""
    refuse(RunBatchItem, item, "exactly one of the fields `status`, `error`")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1", "nope", '{"input": {"goal": "\\ud800"}}', b'{"input": {"goal": "\xff"}}', "\ud800"],
)
def test_what_is_not_json_is_a_decode_error(text: bytes | str) -> None:
    """Broken JSON and text that is not Unicode surface as one kind of error."""
    with pytest.raises(msgspec.DecodeError):
        RunRequest.from_json(text)


@pytest.mark.parametrize("depth", [20_000, 200_000])
def test_json_that_is_nested_too_deeply_is_a_decode_error(depth: int) -> None:
    """A hostile document ends in the same error as a broken one, not in a RecursionError."""
    deep = "[" * depth + "]" * depth
    with pytest.raises(msgspec.DecodeError, match="too deep"):
        RunRequest.from_json(f'{{"input": {{"goal": "x", "data": {{"deep": {deep}}}}}}}')


def test_plain_values_that_hold_themselves_are_a_validation_error() -> None:
    """A value without an end is refused as well."""
    endless: dict[str, object] = {"goal": "x"}
    endless["input"] = endless
    with pytest.raises(msgspec.ValidationError):
        RunRequest.from_dict(endless)


def test_event_data_and_output_are_plain_dicts() -> None:
    """Objects without a schema of their own come out as dicts."""
    event = RunEvent.from_json(
        '{"run_id": "r", "seq": 0, "type": "final", "time": "2025-06-01T12:00:00Z", "data": {"output": {"n": 1}}}'
    )
    assert event.data == {"output": {"n": 1}}


def test_state_is_an_enum_that_reads_as_its_word() -> None:
    """A state has a `.value`, equals the word, and prints as it."""
    state = RunStatus.from_json('{"run_id": "x", "state": "queued"}').state
    assert state is RunState.QUEUED
    word: str = state
    assert (state.value, str(state), f"{state}") == ("queued", "queued", "queued")
    assert word == "queued"


class _Interrupting(EnumMeta):
    """Of an enumeration at which Ctrl-C is pressed, once, when msgspec asks it for what it does not have."""

    _times = iter([1])

    def __getattr__(cls, name: str) -> NoReturn:
        for _ in cls._times:
            signal.raise_signal(signal.SIGINT)
        raise AttributeError(name)


def test_control_c_is_heard_while_a_type_is_decoded_for_the_first_time() -> None:
    """msgspec drops what is raised while it looks at a type, so KeyboardInterrupt is raised afterwards."""

    class Word(Enum, metaclass=_Interrupting):
        YES = "yes"

    with pytest.raises(KeyboardInterrupt):
        decode(b'"yes"', Word)
    assert decode(b'"yes"', Word) is Word.YES
