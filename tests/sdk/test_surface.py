"""What users of the published 0.1.0 know is there, and what is generated is what the OpenAPI documents say."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Any, get_args

import pytest

import arp_model
import arp_sdk
from arp_sdk._operation import Operation
from contracts.spec import OPENAPI, api

SERVICES = {"daemon": "Daemon", "runtime": "Runtime", "tool-registry": "ToolRegistry"}
OPTIONS = [
    "base_url",
    "client",
    "timeout",
    "headers",
    "cookies",
    "verify_ssl",
    "follow_redirects",
    "raise_on_unexpected_status",
    "httpx_args",
]

# Module, request object, its fields in order: as users of 0.1.0 construct them.
REQUESTS = [
    ("daemon", "CreateInstancesRequest", "body"),
    ("daemon", "DeleteInstanceRequest", "instance_id"),
    ("daemon", "DeleteRuntimeProfileRequest", "runtime_profile"),
    ("daemon", "GetRunResultRequest", "run_id"),
    ("daemon", "GetRunStatusRequest", "run_id"),
    ("daemon", "GetRunTraceRequest", "run_id"),
    ("daemon", "HealthRequest", ""),
    ("daemon", "ListInstancesRequest", ""),
    ("daemon", "ListRunsRequest", "page_size page_token"),
    ("daemon", "ListRuntimeProfilesRequest", ""),
    ("daemon", "RegisterInstanceRequest", "body"),
    ("daemon", "SubmitRunRequest", "body"),
    ("daemon", "UpsertRuntimeProfileRequest", "runtime_profile body"),
    ("daemon", "VersionRequest", ""),
    ("runtime", "CancelRunRequest", "run_id"),
    ("runtime", "CreateRunRequest", "body"),
    ("runtime", "GetRunResultRequest", "run_id"),
    ("runtime", "GetRunStatusRequest", "run_id"),
    ("runtime", "HealthRequest", ""),
    ("runtime", "StreamRunEventsRequest", "run_id after"),
    ("runtime", "VersionRequest", ""),
    ("tool_registry", "GetToolRequest", "tool_id"),
    ("tool_registry", "HealthRequest", ""),
    ("tool_registry", "InvokeToolRequest", "invocation_id args tool_id tool_name context caller extensions"),
    ("tool_registry", "ListToolsRequest", ""),
    ("tool_registry", "VersionRequest", ""),
]

# Module, model that the facade module offers beside its client.
MODELS = {
    "daemon": "Health InstanceCreateRequest InstanceCreateResponse InstanceListResponse InstanceRegisterRequest "
    "InstanceRegisterResponse RunBatchItem RunBatchRequest RunBatchResponse RunCancelRequest RunCancelResponse "
    "RunListResponse RunRequest RunResult RunState RunStatus RuntimeProfile RuntimeProfileListResponse "
    "RuntimeProfileUpsertRequest TraceResponse VersionInfo",
    "runtime": "Health RunRequest RunResult RunStatus VersionInfo",
    "tool_registry": "Health ToolDefinition ToolInvocationResult VersionInfo",
}

# Client, method, its parameters: as users of 0.1.0 call them.
METHODS = [
    ("Daemon", "create_instances", "body"),
    ("Daemon", "delete_instance", "instance_id"),
    ("Daemon", "delete_runtime_profile", "runtime_profile"),
    ("Daemon", "get_run_result", "run_id"),
    ("Daemon", "get_run_status", "run_id"),
    ("Daemon", "get_run_trace", "run_id"),
    ("Daemon", "health", "request"),
    ("Daemon", "list_instances", "request"),
    ("Daemon", "list_runs", "request page_size page_token"),
    ("Daemon", "list_runtime_profiles", "request"),
    ("Daemon", "register_instance", "body"),
    ("Daemon", "submit_run", "body"),
    ("Daemon", "upsert_runtime_profile", "request"),
    ("Daemon", "version", "request"),
    ("Runtime", "cancel_run", "run_id"),
    ("Runtime", "create_run", "body"),
    ("Runtime", "get_run_result", "run_id"),
    ("Runtime", "get_run_status", "run_id"),
    ("Runtime", "health", "request"),
    ("Runtime", "stream_run_events", "run_id"),
    ("Runtime", "version", "request"),
    ("ToolRegistry", "get_tool", "tool_id"),
    ("ToolRegistry", "health", "request"),
    ("ToolRegistry", "invoke_tool", "request"),
    ("ToolRegistry", "list_tools", "request"),
    ("ToolRegistry", "version", "request"),
]


@pytest.mark.parametrize(("module", "name", "names"), REQUESTS)
def test_request_objects_are_constructed_as_before(module: str, name: str, names: str) -> None:
    """Each request object is where it was, with its fields in their order; what came later may be left out."""
    request = getattr(importlib.import_module(f"arp_sdk.{module}"), name)
    assert is_dataclass(request)
    found, count = fields(request), len(names.split())
    assert [field.name for field in found][:count] == names.split()
    assert [field.default for field in found[count:]] == [None] * len(found[count:])


@pytest.mark.parametrize(("client", "method", "parameters"), METHODS)
def test_methods_are_called_as_before(client: str, method: str, parameters: str) -> None:
    """Each method takes what it took, and its async twin takes the same; new parameters come after."""
    signature = inspect.signature(getattr(getattr(arp_sdk, f"{client}Client"), method))
    assert list(signature.parameters)[1:][: len(parameters.split())] == parameters.split()
    twin = getattr(getattr(arp_sdk, f"Async{client}Client"), method)
    assert inspect.iscoroutinefunction(twin)
    assert inspect.signature(twin) == signature


@pytest.mark.parametrize("client", SERVICES.values())
def test_clients_are_made_as_before(client: str) -> None:
    """The options of the constructor keep their names; all but the address are given by name."""
    for prefix in ("", "Async"):
        parameters = list(inspect.signature(getattr(arp_sdk, f"{prefix}{client}Client")).parameters.values())
        assert [parameter.name for parameter in parameters] == OPTIONS
        assert {parameter.kind for parameter in parameters[1:]} == {inspect.Parameter.KEYWORD_ONLY}


def public(of: type) -> dict[str, Any]:
    """The public members of a class."""
    return {name: item for name, item in inspect.getmembers(of) if not name.startswith("_")}


@pytest.mark.parametrize("client", SERVICES.values())
def test_async_clients_offer_what_the_blocking_ones_do(client: str) -> None:
    """Nothing is there for one kind alone, but the name of closing."""
    blocking, awaited = (public(getattr(arp_sdk, f"{prefix}{client}Client")) for prefix in ("", "Async"))
    assert set(blocking) ^ set(awaited) == {"close", "aclose"}


@pytest.mark.parametrize("module", ["daemon", "runtime", "tool_registry"])
def test_facade_modules_offer_their_types(module: str) -> None:
    """What a facade takes and gives can be imported from beside it, and is the one type of arp_model."""
    facade = importlib.import_module(f"arp_sdk.{module}")
    for name in MODELS[module].split():
        assert getattr(facade, name) is getattr(arp_model, name)
    assert facade.ArpApiError is arp_sdk.ArpApiError


def test_all_models_can_be_imported_from_the_sdk() -> None:
    """`arp_sdk.models` has every type of the wire."""
    inner = {"AwareDatetime", "Model", "WireEnum", "convert_lenient", "decode_lenient"}
    assert set(arp_sdk.models.__all__) == set(arp_model.__all__) - inner
    assert all(getattr(arp_sdk.models, name) is getattr(arp_model, name) for name in arp_sdk.models.__all__)


@pytest.mark.parametrize("module", ["", ".daemon", ".errors", ".models", ".runtime", ".tool_registry"])
def test_all_names_what_is_there(module: str) -> None:
    """`__all__` is true and in order, so that a reader finds a name."""
    loaded = importlib.import_module(f"arp_sdk{module}")
    assert all(hasattr(loaded, name) for name in loaded.__all__)
    assert len(set(loaded.__all__)) == len(loaded.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    """`__version__` says what is installed."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", arp_sdk.__version__)


def described(service: str) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Every operation of an OpenAPI document: method, path, what it says, and the path item around it."""
    return [
        (method.upper(), path, item[method], item)
        for path, item in api(service)["paths"].items()
        for method in ("get", "put", "post", "delete")
        if method in item
    ]


@pytest.mark.parametrize("service", OPENAPI)
def test_generated_operations_are_those_of_the_document(service: str) -> None:
    """Method, path, success, query and types of each operation are what the OpenAPI document says."""
    generated = importlib.import_module(f"arp_sdk.generated.{service.replace('-', '_')}")
    made = {item.name: item for item in vars(generated).values() if isinstance(item, Operation)}
    assert set(made) == {said["operationId"] for _, _, said, _ in described(service)}
    for method, path, said, item in described(service):
        operation = made[said["operationId"]]
        [success] = [code for code in said["responses"] if code.startswith("2")]
        assert (operation.method, operation.path, operation.success) == (method, path, int(success))
        content = said["responses"][success].get("content", {})
        assert type_name(operation.response) == content_type(content)
        body = said.get("requestBody", {}).get("content", {})
        assert type_name(operation.body or NoneType) == content_type(body)
        parameters = [resolve(service, p) for p in [*item.get("parameters", []), *said.get("parameters", [])]]
        assert list(operation.query) == [p["name"] for p in parameters if p["in"] == "query"]
        headers = [p["name"] for p in parameters if p["in"] == "header" and p["name"] != "Last-Event-ID"]
        assert [header for _, header in operation.headers] == headers


def resolve(service: str, node: dict[str, Any]) -> dict[str, Any]:
    """A parameter, where it is written or where its reference leads."""
    found: dict[str, Any] = node
    if "$ref" in node:
        found = api(service)["components"]["parameters"][node["$ref"].rpartition("/")[2]]
    return found


def type_name(type_: Any) -> str:
    """The name of a type, as `content_type` has it."""
    return f"list[{get_args(type_)[0].__name__}]" if get_args(type_) else str(type_.__name__)


def content_type(content: dict[str, Any]) -> str:
    """The name of the type that a content stands for."""
    if not content:
        return "NoneType"
    if content.keys() & {"text/event-stream", "text/plain"}:
        return "str"
    schema = content["application/json"]["schema"]
    if "items" in schema:
        return f"list[{schema['items']['$ref'].rpartition('/')[2]}]"
    return str(schema["$ref"].rpartition("/")[2])
