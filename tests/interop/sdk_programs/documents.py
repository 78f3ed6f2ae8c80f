"""Makes, reads, changes, compares and writes every document that the facades offer. Asks no service."""

import copy
import json

from transcript import tell, tell_error

import arp_sdk.daemon
import arp_sdk.models
import arp_sdk.runtime
import arp_sdk.tool_registry
from arp_sdk.models import InstanceCreateRequest, RunRequest, RunResult, RunStatus, RuntimeProfileUpsertRequest

TIME = "2025-06-01T14:00:00.150342+02:00"
EXTENSIONS = {"com.example.any": {"list": [None, True, 1.5, "ü"], "empty": {}}}
METADATA = {"labels": {"team": "search"}, "annotations": {"a": "b"}, "extensions": EXTENSIONS}
ERROR = {
    "code": "tool_failed",
    "message": "It broke.",
    "details": {"n": 1},
    "retryable": False,
    "cause": {"code": "io", "message": "No disk.", "details": {}, "extensions": EXTENSIONS},
    "extensions": EXTENSIONS,
}
STATUS = {
    "run_id": "r1",
    "state": "failed",
    "started_at": TIME,
    "ended_at": TIME,
    "runtime_instance_id": "i1",
    "extensions": EXTENSIONS,
}
INSTANCE = {
    "instance_id": "i1",
    "state": "busy",
    "runtime_api_endpoint": "http://127.0.0.1:1",
    "managed": False,
    "runtime_profile": "p",
    "runtime_name": "n",
    "runtime_version": "1",
    "metadata": METADATA,
    "extensions": EXTENSIONS,
}
DEFAULTS = {"env": {"A": "b"}, "args": ["-x"], "tool_registry_url": "http://127.0.0.1:2"}
PROFILE = {
    "runtime_name": "n",
    "description": "d",
    "defaults": DEFAULTS,
    "metadata": METADATA,
    "extensions": EXTENSIONS,
}
PAGE = {"next_page_token": "t", "page_size": 5, "extensions": EXTENSIONS}
TRACE = {
    "run_id": "r1",
    "seq": 0,
    "time": TIME,
    "level": "warn",
    "type": "x",
    "data": {"a": 1},
    "extensions": EXTENSIONS,
}
TOOL = {
    "tool_id": "t",
    "name": "n",
    "description": "d",
    "input_schema": {"type": "object"},
    "output_schema": {"type": "object", "properties": {}},
    "source": "remote",
    "metadata": METADATA,
    "extensions": EXTENSIONS,
}

# Name and document: with everything in it, and with what must be.
DOCUMENTS = {
    "InstanceCreateRequest": (
        {"runtime_profile": "p", "count": 2, "overrides": DEFAULTS, "metadata": METADATA, "extensions": EXTENSIONS},
        {"runtime_profile": "p"},
    ),
    "InstanceCreateResponse": ({"instances": [INSTANCE], "extensions": EXTENSIONS}, {"instances": []}),
    "InstanceListResponse": ({"instances": [INSTANCE], "extensions": EXTENSIONS}, {"instances": []}),
    "InstanceRegisterRequest": (
        {
            "runtime_api_endpoint": "http://127.0.0.1:1",
            "runtime_profile": "p",
            "runtime_name": "n",
            "metadata": METADATA,
            "extensions": EXTENSIONS,
        },
        {"runtime_api_endpoint": "http://127.0.0.1:1"},
    ),
    "InstanceRegisterResponse": (
        {"instance": INSTANCE, "extensions": EXTENSIONS},
        {"instance": {"instance_id": "i", "state": "ready", "runtime_api_endpoint": "http://127.0.0.1:1"}},
    ),
    "RunListResponse": ({"runs": [STATUS], "pagination": PAGE, "extensions": EXTENSIONS}, {"runs": []}),
    "RunRequest": (
        {
            "run_id": "r1",
            "input": {"goal": "g", "context": {"a": 1}, "data": {}},
            "runtime_selector": {
                "runtime_profile": "p",
                "instance_id": "i",
                "runtime_name": "n",
                "runtime_api_endpoint": "http://127.0.0.1:1",
            },
            "tool_policy": {"allow_tool_ids": ["a"], "deny_tool_ids": []},
            "limits": {"timeout_ms": 0, "max_steps": 1, "max_tokens": 1},
            "metadata": METADATA,
            "extensions": EXTENSIONS,
        },
        {"input": {"goal": ""}},
    ),
    "RunResult": (
        {
            "run_id": "r1",
            "ok": False,
            "output": {"a": [1]},
            "error": ERROR,
            "artifacts": [{"type": "file", "id": "a", "uri": "file:///a", "extensions": EXTENSIONS}],
            "usage": {"tokens": 1},
            "extensions": EXTENSIONS,
        },
        {"run_id": "r1", "ok": True},
    ),
    "RunStatus": (STATUS, {"run_id": "r1", "state": "queued"}),
    "RuntimeInstance": (
        INSTANCE,
        {"instance_id": "i", "state": "ready", "runtime_api_endpoint": "http://127.0.0.1:1", "managed": True},
    ),
    "RuntimeProfile": ({"runtime_profile": "p", **PROFILE}, {"runtime_profile": "p"}),
    "RuntimeProfileListResponse": (
        {"profiles": [{"runtime_profile": "p", **PROFILE}], "pagination": PAGE, "extensions": EXTENSIONS},
        {"profiles": []},
    ),
    "RuntimeProfileUpsertRequest": (PROFILE, {}),
    "ToolDefinition": (TOOL, {"tool_id": "t", "name": "n", "input_schema": {"a": 1}, "source": "registry_local"}),
    "ToolInvocationResult": (
        {
            "invocation_id": "i",
            "ok": False,
            "result": {"a": 1},
            "error": ERROR,
            "duration_ms": 3,
            "extensions": EXTENSIONS,
        },
        {"invocation_id": "i", "ok": True},
    ),
    "TraceResponse": ({"trace_uri": "file:///t", "events": [TRACE], "extensions": EXTENSIONS}, {}),
}
HEALTH = {
    "status": "degraded",
    "time": TIME,
    "checks": [{"name": "n", "status": "down", "message": "m", "details": {"a": 1}}],
    "extensions": EXTENSIONS,
}
VERSION = {
    "service_name": "n",
    "service_version": "1",
    "supported_api_versions": ["v1"],
    "build": {"commit": "c", "built_at": TIME, "dirty": False},
    "extensions": EXTENSIONS,
}
# What each facade offers beside `arp_sdk.models`.
FACADE_DOCUMENTS = {
    "daemon": set(DOCUMENTS) - {"RuntimeInstance", "ToolDefinition", "ToolInvocationResult"},
    "runtime": {"RunRequest", "RunResult", "RunStatus"},
    "tool_registry": {"ToolDefinition", "ToolInvocationResult"},
}
FACADES = {"daemon": arp_sdk.daemon, "runtime": arp_sdk.runtime, "tool_registry": arp_sdk.tool_registry}


def look(what: str, model: type, document: dict) -> None:
    """What becomes of one document."""
    made = model.from_dict(document)
    written = made.to_dict()
    tell(f"{what}: to_dict", written)
    equal = [json.loads(json.dumps(written)) == written, model.from_dict(written) == made, copy.copy(made) == made]
    tell(f"{what}: equal", [*equal, made == document, made != model.from_dict(document)])
    tell(f"{what}: false fields", sorted(name for name in PRESENT[model.__name__] if not getattr(made, name)))


PRESENT = {
    name: [{"input": "input_", "type": "type_"}.get(field, field) for field in everything]
    for name, (everything, _) in DOCUMENTS.items()
}
for name, (everything, least) in DOCUMENTS.items():
    look(f"{name}, full", getattr(arp_sdk.models, name), everything)
    look(f"{name}, least", getattr(arp_sdk.models, name), least)
for facade, module in FACADES.items():
    PRESENT |= {"Health": list(HEALTH), "VersionInfo": list(VERSION)}
    look(f"{facade}.Health", module.Health, HEALTH)
    look(f"{facade}.VersionInfo", module.VersionInfo, VERSION)
    for name in sorted(set(DOCUMENTS) & FACADE_DOCUMENTS[facade]):
        look(f"{facade}.{name}", getattr(module, name), DOCUMENTS[name][0])

request = RunRequest.from_dict(DOCUMENTS["RunRequest"][0])
tell("parts of a request", [request.input_.goal, request.limits.timeout_ms, request.tool_policy.allow_tool_ids])
tell("a part of a part", [request.input_.context["a"], "a" in request.input_.context, request.metadata.labels["team"]])
request.run_id = "r2"
request.limits.max_steps = 7
tell("a changed request", request)
tell("made by names", RunRequest(input_=request.input_, run_id="r3", limits=request.limits))
tell("made with one argument", RunRequest(request.input_))
tell("an instance request of one", InstanceCreateRequest("p"))
tell("an instance request", InstanceCreateRequest(runtime_profile="p", count=2))
tell("a profile of nothing", RuntimeProfileUpsertRequest())
tell("a profile by names", RuntimeProfileUpsertRequest(description="d", runtime_name="n"))
status = RunStatus.from_dict(STATUS)
tell("a status' fields", [status.run_id, status.started_at, status.started_at.isoformat(), status.runtime_instance_id])
tell(
    "a state",
    [status.state.value, str(status.state), status.state == "failed", status.state.name, isinstance(status.state, str)],
)
tell("a state in a set", [status.state in {"failed", "canceled"}, hash(status.state) == hash("failed")])
tell(
    "a state made from its word",
    [type(status.state)("queued").value, [state.name for state in sorted(type(status.state))]],
)
result = RunResult.from_dict(DOCUMENTS["RunResult"][0])
tell(
    "a result's error",
    [result.error.code, result.error.cause.message, result.error.retryable, result.error.details["n"]],
)
tell("a result's artifacts", [(artifact.id, artifact.uri, artifact.type_) for artifact in result.artifacts])
tell("a result made by names", RunResult(run_id="r1", ok=True))
tell("a result made by place", RunResult(*(True, "r1")))
tell("a free object that is empty", bool(RunResult.from_dict({"run_id": "r", "ok": True, "output": {}}).output))
for what, call in {
    "a missing field": lambda: RunStatus.from_dict({"run_id": "r"}),
    "an unknown word": lambda: RunStatus.from_dict({"run_id": "r", "state": "cancelled"}),
    "an unknown field": lambda: RunStatus.from_dict({"run_id": "r", "state": "queued", "new": 1}),
    "a constructor without what it needs": RunRequest,
    "a constructor with an unknown name": lambda: RunRequest(request.input_, goal="x"),
}.items():
    tell_error(what, call)
