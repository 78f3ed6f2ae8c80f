"""Requests that are not what the contract asks for: refused, whoever the service is of; and how ours says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from conformance.service import Service, assert_refused, new_id, read_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = {"input": {"goal": "What is (19*23)?"}}
_CALL = {"invocation_id": "inv_1", "tool_id": "no-such-tool", "args": {}}
_JSON = {"Content-Type": "application/json"}
# Over what a service takes for one run, and under what would take long to send.
_TOO_LARGE_BYTES = 8 * 1024 * 1024
_TOO_DEEP = 100_000


def _path(service: Service) -> str:
    """Where the kind of service takes its work."""
    return "/v1/tool-invocations" if service.kind == "tool-registry" else "/v1/runs"


def _bent(**parts: Any) -> dict[str, Any]:
    return {**_RUN, **parts}


def _call(**parts: Any) -> dict[str, Any]:
    return {**_CALL, **parts}


_RUNS = pytest.mark.kinds("runtime", "daemon")

_UNKNOWN_FIELDS = [
    (_bent(goal="x"), "goal"),
    ({"input": {"goal": "x", "gaol": "y"}}, "gaol"),
    (_bent(limits={"max_stepz": 1}), "max_stepz"),
    (_bent(tool_policy={"deny": []}), "deny"),
    (_bent(runtime_selector={"profile": "default"}), "profile"),
    (_bent(metadata={"label": {}}), "label"),
]
_WRONG_TYPES = [
    ({"input": "x"}, "input"),
    ({"input": {"goal": 1}}, "input.goal"),
    ({"input": {"goal": None}}, "input.goal"),
    (_bent(run_id=7), "run_id"),
    (_bent(limits={"timeout_ms": -1}), "limits.timeout_ms"),
    (_bent(limits={"timeout_ms": 1.5}), "limits.timeout_ms"),
    (_bent(limits={"max_steps": "3"}), "limits.max_steps"),
    (_bent(tool_policy={"allow_tool_ids": "calculator"}), "tool_policy.allow_tool_ids"),
    (_bent(metadata={"labels": {"a": 1}}), "metadata.labels"),
    ([], "object"),
    (None, "object"),
    ("{}", "object"),
]
_MISSING_FIELDS: list[tuple[dict[str, Any], str]] = [({}, "input"), ({"input": {}}, "goal")]
_BAD_KEYS = ["team", "", ".x", "a b.c", "x."]


@pytest.mark.requirement("request.unknown_field")
def test_a_call_with_an_unknown_field_is_refused(tool_registry: Service) -> None:
    """A slip of the pen does not pass in silence."""
    assert_refused(tool_registry.http.post("/v1/tool-invocations", json=_call(argz={})))


@pytest.mark.requirement("request.wrong_type")
@pytest.mark.parametrize(
    "call", [_call(args=[]), _call(invocation_id=7), _call(tool_id=7), _call(context="x"), _call(caller=[]), [], None]
)
def test_a_call_with_a_value_of_another_type_is_refused(tool_registry: Service, call: Any) -> None:
    """Nothing is coerced."""
    content = json.dumps(call)
    assert_refused(tool_registry.http.post("/v1/tool-invocations", content=content, headers=_JSON))


@pytest.mark.requirement("request.missing_field")
@pytest.mark.parametrize("missing", ["invocation_id", "tool_id", "args"])
def test_a_call_that_lacks_something_is_refused(tool_registry: Service, missing: str) -> None:
    """A call names itself, the tool, by id or name, and the arguments."""
    call = {name: value for name, value in _CALL.items() if name != missing}
    assert_refused(tool_registry.http.post("/v1/tool-invocations", json=call))


@pytest.mark.requirement("request.extension_key")
@pytest.mark.parametrize("key", _BAD_KEYS, ids=ascii)
def test_a_call_with_an_extension_without_a_namespace_is_refused(tool_registry: Service, key: str) -> None:
    """Two vendors' extensions never collide."""
    assert_refused(tool_registry.http.post("/v1/tool-invocations", json=_call(extensions={key: 1})))


@_RUNS
@pytest.mark.requirement("request.unknown_field")
@pytest.mark.parametrize("request_", [request for request, _ in _UNKNOWN_FIELDS])
def test_a_run_with_an_unknown_field_is_refused(service: Service, request_: dict[str, Any]) -> None:
    """A slip of the pen does not pass in silence."""
    assert_refused(service.http.post("/v1/runs", json=request_))


@_RUNS
@pytest.mark.requirement("request.wrong_type")
@pytest.mark.parametrize("request_", [request for request, _ in _WRONG_TYPES])
def test_a_run_with_a_value_of_another_type_is_refused(service: Service, request_: Any) -> None:
    """Nothing is coerced, and nothing out of bounds is cut."""
    assert_refused(service.http.post("/v1/runs", content=json.dumps(request_), headers=_JSON))


@_RUNS
@pytest.mark.requirement("request.missing_field")
@pytest.mark.parametrize("request_", [request for request, _ in _MISSING_FIELDS])
def test_a_run_that_lacks_something_is_refused(service: Service, request_: dict[str, Any]) -> None:
    """What is required has to be there."""
    assert_refused(service.http.post("/v1/runs", json=request_))


@_RUNS
@pytest.mark.requirement("request.extension_key")
@pytest.mark.parametrize("key", _BAD_KEYS, ids=ascii)
def test_a_run_with_an_extension_without_a_namespace_is_refused(service: Service, key: str) -> None:
    """Two vendors' extensions never collide."""
    assert_refused(service.http.post("/v1/runs", json=_bent(extensions={key: 1})))


@pytest.mark.requirement("errors.names_the_place")
@pytest.mark.parametrize(
    ("request_", "place"),
    [*_UNKNOWN_FIELDS, *_WRONG_TYPES, *_MISSING_FIELDS, *((_bent(extensions={k: 1}), "extensions") for k in _BAD_KEYS)],
)
def test_a_refusal_names_the_place(service: Service, request_: Any, place: str) -> None:
    """Whoever wrote the request finds what is wrong with it."""
    response = service.http.post("/v1/runs", content=json.dumps(request_), headers=_JSON)
    assert place in read_error(response, 400, "invalid_request")["message"]


@pytest.mark.requirement("errors.broken_json")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"input": {"goal": "x"}',
        b"{'input': 1}",
        b"\xff\xfe",
        b'{"input": {"goal": "\xe9"}}',
        b'{"input": {"goal": "x"}}{}',
    ],
)
def test_what_is_no_json_is_refused(service: Service, body: bytes) -> None:
    """The answer tells that it is not the shape but the JSON."""
    response = service.http.post(_path(service), content=body, headers=_JSON)
    read_error(response, 400, "invalid_json")


@pytest.mark.requirement("errors.deep_json")
@pytest.mark.parametrize("brackets", ["[]", '{"a":}'], ids=["lists", "objects"])
def test_json_that_nests_without_end_is_refused(service: Service, brackets: str) -> None:
    """It does not bring the service down either."""
    opening, closing = brackets[:-1] * _TOO_DEEP, brackets[-1:] * _TOO_DEEP
    body = f'{{"input": {{"goal": "x", "data": {{"deep": {opening}1{closing}}}}}}}'
    response = service.http.post(_path(service), content=body, headers=_JSON)
    read_error(response, 400, "invalid_json")


@pytest.mark.requirement("errors.large_body")
def test_a_large_body_is_refused(service: Service) -> None:
    """One whose length was announced, and one that goes on and on; neither made a run."""
    run_id = new_id("large")
    body = json.dumps({"run_id": run_id, "input": {"goal": "x" * _TOO_LARGE_BYTES}}).encode()

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    path = _path(service)
    read_error(service.http.post(path, content=body, headers=_JSON), 413, "body_too_large")
    read_error(service.http.post(path, content=chunks(), headers=_JSON), 413, "body_too_large")
    assert service.http.get(f"/v1/runs/{run_id}").status_code == 404


@pytest.mark.requirement("errors.media_type")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonx"},
    ],
)
def test_a_body_that_is_not_declared_as_json_is_refused(service: Service, headers: dict[str, str]) -> None:
    """A page of another site can send forms and text, and must not be able to start a run."""
    response = service.http.post(_path(service), content=json.dumps(_RUN), headers=headers)
    read_error(response, 415, "unsupported_media_type")


@pytest.mark.requirement("errors.media_type")
def test_json_may_be_declared_with_its_charset(service: Service) -> None:
    """Parameters of the media type, and its case, do not matter."""
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    body = _CALL if service.kind == "tool-registry" else _RUN
    assert service.http.post(_path(service), content=json.dumps(body), headers=headers).status_code != 415
