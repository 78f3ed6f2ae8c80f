"""Each method sends what the contract asks for, and gives back what the service said."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from arp_sdk import daemon, models, runtime, tool_registry
from arp_sdk.errors import ArpRequestError, ArpResponseError

if TYPE_CHECKING:
    from sdk.conftest import Caller
    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
VERSION = {"service_name": "x", "service_version": "1", "supported_api_versions": ["v1"]}
STATUS = {"run_id": "r1", "state": "queued"}
RESULT = {"run_id": "r1", "ok": True}
INSTANCE = {"instance_id": "i1", "state": "ready", "runtime_api_endpoint": "http://127.0.0.1:1"}
PROFILE = {"runtime_profile": "p"}
TOOL = {"tool_id": "t", "name": "t", "input_schema": {}, "source": "remote"}
CALLED = {"invocation_id": "c1", "ok": True, "result": {"value": 437}}
EVENTS = "id: 0\ndata: {}\n\n"

RUN = models.RunRequest(models.RunRequestInput("x"), run_id="r1")
RUN_BODY = {"input": {"goal": "x"}, "run_id": "r1"}
CREATE = models.InstanceCreateRequest("default", 1)
REGISTER = models.InstanceRegisterRequest("http://127.0.0.1:1")
UPSERT = daemon.UpsertRuntimeProfileRequest("p", models.RuntimeProfileUpsertRequest(description="d"))
INVOKE = tool_registry.InvokeToolRequest("c1", {"n": 1}, tool_id="t", caller={"type": "run", "id": "r1"})
INVOKE_MODEL = models.ToolInvocationRequest("c1", {"n": 1}, tool_id="t", caller=models.ResourceRef("run", "r1"))
INVOKE_BODY = {"invocation_id": "c1", "args": {"n": 1}, "tool_id": "t", "caller": {"type": "run", "id": "r1"}}
BATCH = models.RunBatchRequest([RUN])
BATCH_ANSWER = {"results": [{"status": STATUS}, {"error": {"code": "run_conflict", "message": "m"}}]}
CANCEL = models.RunCancelRequest(label=["team=search"], dry_run=True)
CANCELED = {"count": 1, "run_ids": ["r1"], "dry_run": True}

# client, method, argument, HTTP method, path, answer, body that is sent
CALLS: list[tuple[str, str, Any, str, str, Any, Any]] = [
    ("Daemon", "health", None, "GET", "/v1/health", HEALTH, None),
    ("Daemon", "health", daemon.HealthRequest(), "GET", "/v1/health", HEALTH, None),
    ("Daemon", "version", None, "GET", "/v1/version", VERSION, None),
    ("Daemon", "list_instances", None, "GET", "/v1/instances", {"instances": [INSTANCE]}, None),
    (
        "Daemon",
        "create_instances",
        CREATE,
        "POST",
        "/v1/instances",
        {"instances": [INSTANCE]},
        {"runtime_profile": "default", "count": 1},
    ),
    (
        "Daemon",
        "create_instances",
        daemon.CreateInstancesRequest(CREATE),
        "POST",
        "/v1/instances",
        {"instances": []},
        {"runtime_profile": "default", "count": 1},
    ),
    ("Daemon", "delete_instance", "i1", "DELETE", "/v1/instances/i1", None, None),
    ("Daemon", "delete_instance", daemon.DeleteInstanceRequest("i1"), "DELETE", "/v1/instances/i1", None, None),
    (
        "Daemon",
        "register_instance",
        REGISTER,
        "POST",
        "/v1/instances:register",
        {"instance": INSTANCE},
        {"runtime_api_endpoint": "http://127.0.0.1:1"},
    ),
    (
        "Daemon",
        "list_runtime_profiles",
        None,
        "GET",
        "/v1/admin/runtime-profiles",
        {"profiles": [PROFILE]},
        None,
    ),
    (
        "Daemon",
        "upsert_runtime_profile",
        UPSERT,
        "PUT",
        "/v1/admin/runtime-profiles/p",
        PROFILE,
        {"description": "d"},
    ),
    ("Daemon", "delete_runtime_profile", "p", "DELETE", "/v1/admin/runtime-profiles/p", None, None),
    ("Daemon", "list_runs", None, "GET", "/v1/runs", {"runs": [STATUS]}, None),
    ("Daemon", "submit_run", RUN, "POST", "/v1/runs", STATUS, RUN_BODY),
    ("Daemon", "submit_run", daemon.SubmitRunRequest(RUN), "POST", "/v1/runs", STATUS, RUN_BODY),
    ("Daemon", "get_run_status", "r1", "GET", "/v1/runs/r1", STATUS, None),
    ("Daemon", "get_run_status", daemon.GetRunStatusRequest("r1"), "GET", "/v1/runs/r1", STATUS, None),
    ("Daemon", "get_run_result", "r1", "GET", "/v1/runs/r1/result", RESULT, None),
    ("Daemon", "get_run_trace", "r1", "GET", "/v1/runs/r1/trace", {"events": []}, None),
    ("Daemon", "cancel_run", "r1", "POST", "/v1/runs/r1:cancel", STATUS, None),
    ("Runtime", "health", None, "GET", "/v1/health", HEALTH, None),
    ("Runtime", "version", None, "GET", "/v1/version", VERSION, None),
    ("Runtime", "create_run", RUN, "POST", "/v1/runs", STATUS, RUN_BODY),
    ("Runtime", "create_run", runtime.CreateRunRequest(RUN), "POST", "/v1/runs", STATUS, RUN_BODY),
    (
        "Runtime",
        "create_runs",
        BATCH,
        "POST",
        "/v1/runs:batch",
        {"results": [{"status": STATUS}]},
        {"runs": [RUN_BODY]},
    ),
    ("Runtime", "get_run_status", "r1", "GET", "/v1/runs/r1", STATUS, None),
    ("Runtime", "get_run_result", "r1", "GET", "/v1/runs/r1/result", RESULT, None),
    ("Runtime", "cancel_run", "r1", "POST", "/v1/runs/r1:cancel", STATUS, None),
    ("ToolRegistry", "health", None, "GET", "/v1/health", HEALTH, None),
    ("ToolRegistry", "version", None, "GET", "/v1/version", VERSION, None),
    ("ToolRegistry", "list_tools", None, "GET", "/v1/tools", [TOOL, TOOL], None),
    ("ToolRegistry", "get_tool", "t", "GET", "/v1/tools/t", TOOL, None),
    ("ToolRegistry", "invoke_tool", INVOKE, "POST", "/v1/tool-invocations", CALLED, INVOKE_BODY),
    ("ToolRegistry", "invoke_tool", INVOKE_MODEL, "POST", "/v1/tool-invocations", CALLED, INVOKE_BODY),
]


CALLS += [
    ("Daemon", "submit_runs", argument, "POST", "/v1/runs:batch", BATCH_ANSWER, {"runs": [RUN_BODY]})
    for argument in (BATCH, daemon.SubmitRunsRequest(BATCH))
]
CALLS += [
    (
        "Daemon",
        "cancel_runs",
        argument,
        "POST",
        "/v1/runs:cancel",
        CANCELED,
        {"label": ["team=search"], "dry_run": True},
    )
    for argument in (CANCEL, daemon.CancelRunsRequest(CANCEL))
]


@pytest.mark.parametrize(("client", "name", "argument", "method", "path", "answer", "body"), CALLS)
async def test_a_method_makes_its_call_and_decodes_the_answer(
    service: Service,
    caller: Caller,
    client: str,
    name: str,
    argument: Any,
    method: str,
    path: str,
    answer: Any,
    body: Any,
) -> None:
    """Method, path and body are the contract's; the answer comes back as its type."""
    service.answer(method, path, answer, status=204 if answer is None else 200)
    given = await caller.call(client, service.url, name, *([] if argument is None else [argument]))
    [seen] = service.seen
    assert (seen.method, seen.path, seen.headers["accept"]) == (method, path, "application/json")
    assert (msgspec.json.decode(seen.body) if seen.body else None) == body
    assert seen.headers.get("content-type") == (None if body is None else "application/json")
    assert msgspec.to_builtins(given) == answer
    assert not isinstance(given, dict)


async def test_a_list_of_tools_holds_tool_definitions(service: Service, caller: Caller) -> None:
    """The bare list of the tool registry is decoded item by item."""
    service.answer("GET", "/v1/tools", [TOOL])
    assert await caller.call("ToolRegistry", service.url, "list_tools") == [models.ToolDefinition.from_dict(TOOL)]


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ([], {"page_size": 5, "page_token": "a b&c"}),
        ([daemon.ListRunsRequest(page_size=5, page_token="a b&c")], {}),
    ],
)
async def test_paging_goes_into_the_query(
    service: Service, caller: Caller, args: list[Any], options: dict[str, Any]
) -> None:
    """Page size and token may be given by name or in a request object, and are escaped."""
    service.answer("GET", "/v1/runs", {"runs": []})
    await caller.call("Daemon", service.url, "list_runs", *args, **options)
    assert service.seen[0].query == {"page_size": "5", "page_token": "a b&c"}


@pytest.mark.parametrize(("force", "query"), [(None, {}), (True, {"force": "true"}), (False, {"force": "false"})])
async def test_a_truth_value_goes_into_the_query_as_json_has_it(
    service: Service, caller: Caller, force: bool | None, query: dict[str, str]
) -> None:
    """And what is not given is not there."""
    service.answer("DELETE", "/v1/admin/runtime-profiles/p", status=204)
    await caller.call("Daemon", service.url, "delete_runtime_profile", "p", force=force)
    assert service.seen[0].query == query


async def test_filters_go_into_the_query(service: Service, caller: Caller) -> None:
    """A list is as many parameters of one name, and a time bears its zone."""
    service.answer("GET", "/v1/runs", {"runs": []})
    noon = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1)))
    filters: dict[str, Any] = {"state": [models.RunState.QUEUED, models.RunState.RUNNING], "label": ["a=1", "b=2&c"]}
    await caller.call("Daemon", service.url, "list_runs", **filters, runtime_profile="p", created_after=noon)
    assert service.seen[0].pairs == [
        ("state", "queued"),
        ("state", "running"),
        ("runtime_profile", "p"),
        ("label", "a=1"),
        ("label", "b=2&c"),
        ("created_after", "2026-01-31T12:00:00+01:00"),
    ]
    with pytest.raises(ArpRequestError, match="zone"):
        await caller.call("Daemon", service.url, "list_runs", created_before=noon.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("args", "options"),
    [([RUN], {"idempotency_key": "k-1"}), ([daemon.SubmitRunRequest(RUN, idempotency_key="k-1")], {})],
)
async def test_an_idempotency_key_is_a_header(
    service: Service, caller: Caller, args: list[Any], options: dict[str, Any]
) -> None:
    """Given by name or in a request object; without one there is no header."""
    service.answer("POST", "/v1/runs", STATUS, status=202)
    await caller.call("Daemon", service.url, "submit_run", *args, **options)
    await caller.call("Daemon", service.url, "submit_run", RUN)
    assert [seen.headers.get("idempotency-key") for seen in service.seen] == ["k-1", None]
    with pytest.raises(ArpRequestError, match="Idempotency-Key"):
        await caller.call("Daemon", service.url, "submit_run", RUN, idempotency_key="a\nb: c")


async def test_what_is_not_given_is_not_in_the_query(service: Service, caller: Caller) -> None:
    """Absent query parameters are left out."""
    service.answer("GET", "/v1/runs", {"runs": []})
    await caller.call("Daemon", service.url, "list_runs")
    assert service.seen[0].query == {}


@pytest.mark.parametrize(
    ("run_id", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("../../etc", "..%2F..%2Fetc"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("r1:cancel", "r1%3Acancel"),
        ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
        ("\u00e9\n", "%C3%A9%0A"),
    ],
)
async def test_an_id_stays_one_segment_of_the_path(service: Service, caller: Caller, run_id: str, segment: str) -> None:
    """Whatever an id holds, it can't lead to another route."""
    service.answer("GET", f"/v1/runs/{segment}", STATUS)
    await caller.call("Daemon", service.url, "get_run_status", run_id)
    assert service.seen[0].path == f"/v1/runs/{segment}"


@pytest.mark.parametrize("run_id", ["", "\ud800", None, 5])
async def test_an_id_that_no_path_can_hold_is_refused_before_sending(
    service: Service, caller: Caller, run_id: object
) -> None:
    """An empty id would name another route; a lone surrogate is no text. The error says which id it is."""
    with pytest.raises(ArpRequestError, match="run_id") as caught:
        await caller.call("Daemon", service.url, "get_run_status", run_id)
    assert caught.value.code == "invalid_request"
    assert service.seen == []


async def test_unknown_fields_of_an_answer_are_ignored(service: Service, caller: Caller) -> None:
    """A service that is newer than the client stays usable."""
    service.answer("GET", "/v1/runs/r1", {**STATUS, "mood": "fine", "extensions": {"a.b": 1}})
    status = await caller.call("Daemon", service.url, "get_run_status", "r1")
    assert status.to_dict() == {**STATUS, "extensions": {"a.b": 1}}


@pytest.mark.parametrize(
    ("method", "argument", "place"),
    [
        ("submit_run", models.RunRequest(models.RunRequestInput(3)), "$.input.goal"),  # type: ignore[arg-type]  # on purpose
        ("create_instances", models.InstanceCreateRequest("p", 0), "$.count"),
        ("submit_run", models.RunRequest(models.RunRequestInput("x"), extensions={"nodot": 1}), "$.extensions"),
        ("submit_run", models.RunRequest(models.RunRequestInput("\ud800")), "surrogate"),
    ],
)
async def test_a_request_that_the_contract_refuses_is_not_sent(
    service: Service, caller: Caller, method: str, argument: Any, place: str
) -> None:
    """A wrong value is found before it leaves, and the message names its place."""
    with pytest.raises(ArpRequestError, match="cannot be sent") as caught:
        await caller.call("Daemon", service.url, method, argument)
    assert place in caught.value.message
    assert service.seen == []


def test_a_tool_call_without_a_tool_is_not_made() -> None:
    """The contract's `anyOf` is checked when the request is made, as in 0.1.0."""
    with pytest.raises(ValueError, match="tool_id"):
        tool_registry.InvokeToolRequest("c1", {})


async def test_another_type_of_body_is_a_type_error(service: Service, caller: Caller) -> None:
    """What is neither the model nor a dict is a mistake in the program."""
    for wrong in ("goal", CREATE):
        with pytest.raises(TypeError, match="expected RunRequest, got"):
            await caller.call("Daemon", service.url, "submit_run", wrong)
    assert service.seen == []


async def test_a_plain_dict_is_taken_for_the_document_that_it_is(service: Service, caller: Caller) -> None:
    """Programs for 0.1.0 submit one; it is held against the contract like any other."""
    service.answer("POST", "/v1/runs", STATUS, status=202)
    await caller.call("Daemon", service.url, "submit_run", RUN_BODY)
    assert msgspec.json.decode(service.seen[0].body) == RUN_BODY
    for wrong, place in (
        ({}, "input"),
        ({**RUN_BODY, "mood": 1}, "mood"),
        ({"input": {"goal": 3}}, r"\$\.input\.goal"),
    ):
        with pytest.raises(ArpRequestError, match=place):
            await caller.call("Daemon", service.url, "submit_run", wrong)
    assert len(service.seen) == 1


async def test_the_whole_text_of_a_stream_is_returned(service: Service, caller: Caller) -> None:
    """`stream_run_events` waits for the end and gives the text as it came."""
    service.media_type = "text/event-stream"
    service.answer("GET", "/v1/runs/r1/events", EVENTS)
    assert await caller.call("Runtime", service.url, "stream_run_events", "r1", after=3) == EVENTS
    assert service.seen[0].query == {"after": "3"}
    assert service.seen[0].headers["accept"] == "text/event-stream"


async def test_a_stream_that_is_no_event_stream_is_refused(service: Service, caller: Caller) -> None:
    """A page of HTML is not taken for a run's events."""
    service.media_type = "text/html"
    service.answer("GET", "/v1/runs/r1/events", "<html>")
    with pytest.raises(ArpResponseError, match="text/html"):
        await caller.call("Runtime", service.url, "stream_run_events", runtime.StreamRunEventsRequest("r1"))
