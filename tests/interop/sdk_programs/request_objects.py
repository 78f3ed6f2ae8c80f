"""Makes, reads, changes and compares every request object of the facades. Asks no service."""

import copy

from transcript import tell, tell_error

import arp_sdk.daemon
import arp_sdk.runtime
import arp_sdk.tool_registry
from arp_sdk.daemon import ListRunsRequest
from arp_sdk.tool_registry import InvokeToolRequest

RUN = arp_sdk.daemon.RunRequest.from_dict({"input": {"goal": "g"}})
CREATE = arp_sdk.daemon.InstanceCreateRequest(runtime_profile="p", count=2)
REGISTER = arp_sdk.daemon.InstanceRegisterRequest(runtime_api_endpoint="http://127.0.0.1:1")
PROFILE = arp_sdk.daemon.RuntimeProfileUpsertRequest(description="d")
REQUESTS = {
    "daemon": {
        "CreateInstancesRequest": {"body": CREATE},
        "DeleteInstanceRequest": {"instance_id": "i"},
        "DeleteRuntimeProfileRequest": {"runtime_profile": "p"},
        "GetRunResultRequest": {"run_id": "r"},
        "GetRunStatusRequest": {"run_id": "r"},
        "GetRunTraceRequest": {"run_id": "r"},
        "HealthRequest": {},
        "ListInstancesRequest": {},
        "ListRunsRequest": {"page_size": 5, "page_token": "t"},
        "ListRuntimeProfilesRequest": {},
        "RegisterInstanceRequest": {"body": REGISTER},
        "SubmitRunRequest": {"body": RUN},
        "UpsertRuntimeProfileRequest": {"runtime_profile": "p", "body": PROFILE},
        "VersionRequest": {},
    },
    "runtime": {
        "CancelRunRequest": {"run_id": "r"},
        "CreateRunRequest": {"body": RUN},
        "GetRunResultRequest": {"run_id": "r"},
        "GetRunStatusRequest": {"run_id": "r"},
        "HealthRequest": {},
        "StreamRunEventsRequest": {"run_id": "r"},
        "VersionRequest": {},
    },
    "tool_registry": {
        "GetToolRequest": {"tool_id": "t"},
        "HealthRequest": {},
        "InvokeToolRequest": {
            "invocation_id": "i",
            "args": {"a": 1},
            "tool_id": "t",
            "tool_name": "n",
            "context": {"c": 1},
            "caller": {"type": "run", "id": "r"},
            "extensions": {"com.example.n": None},
        },
        "ListToolsRequest": {},
        "VersionRequest": {},
    },
}
MODULES = {"daemon": arp_sdk.daemon, "runtime": arp_sdk.runtime, "tool_registry": arp_sdk.tool_registry}

for facade, requests in REQUESTS.items():
    for name, fields in requests.items():
        what, make = f"{facade}.{name}", getattr(MODULES[facade], name)
        made = make(**fields)
        tell(f"{what}: by names and by place", [made == make(*fields.values()), made == copy.copy(made)])
        tell(f"{what}: fields", {field: getattr(made, field) for field in fields})
        for field in fields:
            setattr(made, field, fields[field])
        tell(f"{what}: as it was", made == make(**fields))

paged = ListRunsRequest(page_size=1)
tell("no page yet", [paged.page_token, ListRunsRequest().page_size])
paged.page_token = "next"
tell("the next page", [paged.page_size, paged.page_token])
tell("equal, and not", [ListRunsRequest(page_size=1) == ListRunsRequest(1), ListRunsRequest(1) == ListRunsRequest(2)])

call = InvokeToolRequest("i", {"a": 1}, tool_name="n", context={}, extensions={"com.example.n": [1]})
tell("a body", call.to_body())
tell("what was not given", [call.tool_id, call.caller])
tell_error("a call of no tool", lambda: InvokeToolRequest("i", {}))
tell_error("a request without its argument", arp_sdk.daemon.GetRunStatusRequest)
tell_error("a request with an unknown argument", lambda: arp_sdk.daemon.HealthRequest(deep=True))
