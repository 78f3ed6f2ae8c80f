"""Makes every call, and tells what came over the wire: method, path, query, headers and body."""

from listener import Listener
from transcript import tell

from arp_sdk.daemon import DaemonClient, ListRunsRequest, UpsertRuntimeProfileRequest
from arp_sdk.models import (
    InstanceCreateRequest,
    InstanceRegisterRequest,
    RunRequest,
    RuntimeProfileUpsertRequest,
)
from arp_sdk.runtime import RuntimeClient
from arp_sdk.tool_registry import InvokeToolRequest, ToolRegistryClient

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
VERSION = {"service_name": "s", "service_version": "1", "supported_api_versions": ["v1"]}
STATUS = {"run_id": "r", "state": "queued"}
RESULT = {"run_id": "r", "ok": True}
INSTANCE = {"instance_id": "i", "state": "ready", "runtime_api_endpoint": "http://127.0.0.1:1"}
TOOL = {"tool_id": "t", "name": "t", "input_schema": {}, "source": "remote"}
# Ids that have to be escaped to stay one segment of a path.
ODD = "a b/c?d#e%f:g+ü&=;,~"
ESCAPED = "a%20b%2Fc%3Fd%23e%25f%3Ag%2B%C3%BC%26%3D%3B%2C~"
ANSWERS = {
    "GET /v1/health": (200, HEALTH),
    "GET /v1/version": (200, VERSION),
    "GET /v1/instances": (200, {"instances": []}),
    "POST /v1/instances": (200, {"instances": []}),
    "POST /v1/instances:register": (200, {"instance": INSTANCE}),
    f"DELETE /v1/instances/{ESCAPED}": (204, None),
    "GET /v1/admin/runtime-profiles": (200, {"profiles": []}),
    f"PUT /v1/admin/runtime-profiles/{ESCAPED}": (200, {"runtime_profile": ODD}),
    f"DELETE /v1/admin/runtime-profiles/{ESCAPED}": (204, None),
    f"GET /v1/runs/{ESCAPED}": (200, STATUS),
    f"GET /v1/runs/{ESCAPED}/result": (200, RESULT),
    f"GET /v1/runs/{ESCAPED}/trace": (200, {}),
    f"GET /v1/runs/{ESCAPED}/events": (200, b"id: 0\nevent: final\ndata: {}\n\n"),
    f"POST /v1/runs/{ESCAPED}:cancel": (200, STATUS),
    "GET /v1/tools": (200, [TOOL]),
    f"GET /v1/tools/{ESCAPED}": (200, TOOL),
    "POST /v1/tool-invocations": (200, {"invocation_id": "i", "ok": True}),
}
RUN = RunRequest.from_dict(
    {
        "run_id": "r",
        "input": {"goal": "ü", "context": {"n": 18446744073709551616}, "data": {}},
        "limits": {"timeout_ms": 0},
        "tool_policy": {"allow_tool_ids": []},
        "extensions": {"com.example.n": None},
    }
)

with Listener(ANSWERS) as listener:
    daemon, runtime = DaemonClient(base_url=listener.url), RuntimeClient(base_url=listener.url)
    registry = ToolRegistryClient(base_url=listener.url)
    listener.answers["POST /v1/runs"] = (202, STATUS)
    calls = {
        "daemon.health": daemon.health,
        "daemon.version": daemon.version,
        "daemon.list_instances": daemon.list_instances,
        "daemon.create_instances": lambda: daemon.create_instances(InstanceCreateRequest("p", count=3)),
        "daemon.create_instances, the default": lambda: daemon.create_instances(InstanceCreateRequest("p")),
        "daemon.create_instances, from_dict": lambda: daemon.create_instances(
            InstanceCreateRequest.from_dict({"runtime_profile": "p"})
        ),
        "daemon.register_instance": lambda: daemon.register_instance(InstanceRegisterRequest("http://127.0.0.1:1")),
        "daemon.delete_instance": lambda: daemon.delete_instance(ODD),
        "daemon.list_runtime_profiles": daemon.list_runtime_profiles,
        "daemon.upsert_runtime_profile": lambda: daemon.upsert_runtime_profile(
            UpsertRuntimeProfileRequest(ODD, RuntimeProfileUpsertRequest(description="d"))
        ),
        "daemon.delete_runtime_profile": lambda: daemon.delete_runtime_profile(ODD),
        "daemon.submit_run": lambda: daemon.submit_run(RUN),
        "daemon.get_run_status": lambda: daemon.get_run_status(ODD),
        "daemon.get_run_result": lambda: daemon.get_run_result(ODD),
        "daemon.get_run_trace": lambda: daemon.get_run_trace(ODD),
        "runtime.get_run_status": lambda: runtime.get_run_status(ODD),
        "runtime.get_run_result": lambda: runtime.get_run_result(ODD),
        "runtime.stream_run_events": lambda: runtime.stream_run_events(ODD),
        "runtime.cancel_run": lambda: runtime.cancel_run(ODD),
        "runtime.health": runtime.health,
        "runtime.version": runtime.version,
        "registry.health": registry.health,
        "registry.version": registry.version,
        "registry.list_tools": registry.list_tools,
        "registry.get_tool": lambda: registry.get_tool(ODD),
        "registry.invoke_tool": lambda: registry.invoke_tool(
            InvokeToolRequest("i", {"a": [None]}, tool_id="t", caller={"type": "run", "id": "r"})
        ),
    }
    for name, call in calls.items():
        tell(f"{name}: answer", call())
        tell(f"{name}: heard", listener.take())
    listener.answers["POST /v1/runs"] = (200, STATUS)
    tell("runtime.create_run: answer", runtime.create_run(RUN))
    tell("runtime.create_run: heard", listener.take())
    for query, request in {
        "": ListRunsRequest(),
        "?page_size=7": ListRunsRequest(page_size=7),
        "?page_token=a%26b%3D%C3%BC": ListRunsRequest(page_token="a&b=ü"),
        "?page_size=7&page_token=t": ListRunsRequest(7, "t"),
    }.items():
        listener.answers[f"GET /v1/runs{query}"] = (200, {"runs": [STATUS]})
        tell(f"daemon.list_runs{query}: answer", daemon.list_runs(request))
        tell(f"daemon.list_runs{query}: heard", listener.take())
