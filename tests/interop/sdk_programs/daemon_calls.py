"""Makes every call that a daemon client has, in each way that it can be made, on a fresh daemon."""

import sys
import time

from transcript import tell, tell_error

from arp_sdk.daemon import (
    CreateInstancesRequest,
    DaemonClient,
    DeleteInstanceRequest,
    DeleteRuntimeProfileRequest,
    GetRunResultRequest,
    GetRunStatusRequest,
    GetRunTraceRequest,
    HealthRequest,
    ListInstancesRequest,
    ListRunsRequest,
    ListRuntimeProfilesRequest,
    RegisterInstanceRequest,
    SubmitRunRequest,
    UpsertRuntimeProfileRequest,
    VersionRequest,
)
from arp_sdk.models import (
    InstanceCreateRequest,
    InstanceRegisterRequest,
    RunRequest,
    RuntimeProfileUpsertRequest,
)

ENDED = {"succeeded", "failed", "canceled"}

_, daemon_url, runtime_url = sys.argv
daemon = DaemonClient(base_url=daemon_url)

health = daemon.health()
tell("health", [health.status, health.time, [(check.name, check.status) for check in health.checks or []]])
tell("health, by its request", daemon.health(HealthRequest()).status)
version = daemon.version()
tell("version", [version.service_name, version.supported_api_versions, sorted(version.to_dict())])
tell("version, by its request", daemon.version(VersionRequest()).to_dict()["service_name"])

profile = RuntimeProfileUpsertRequest.from_dict(
    {
        "description": "für Läufe",
        "defaults": {"env": {"A": "b"}},
        "metadata": {"labels": {"team": "search"}},
        "extensions": {"arp.exec": {"driver": "runtime", "max": 2}},
    }
)
put = daemon.upsert_runtime_profile(UpsertRuntimeProfileRequest(runtime_profile="by-hand", body=profile))
tell("upsert_runtime_profile", put)
tell("a profile's fields", [put.runtime_profile, put.description, bool(put.runtime_name), bool(put.extensions)])
tell("list_runtime_profiles", sorted(p.runtime_profile for p in daemon.list_runtime_profiles().profiles))
listed = daemon.list_runtime_profiles(ListRuntimeProfilesRequest())
tell("list_runtime_profiles, by its request", [p.to_dict() for p in listed.profiles if p.runtime_profile == "by-hand"])

create = InstanceCreateRequest.from_dict({"runtime_profile": "by-hand", "overrides": {"env": {"A": "c"}}})
first = daemon.create_instances(create).instances[0]
tell("create_instances", [first.managed, first.runtime_profile, first.state, sorted(first.to_dict())])
second = daemon.create_instances(CreateInstancesRequest(InstanceCreateRequest("by-hand", count=1))).instances[0]
tell("create_instances, by its request", [second.managed, second.runtime_profile])
register = InstanceRegisterRequest(runtime_api_endpoint=runtime_url, runtime_name="mine")
outside = daemon.register_instance(register).instance
tell("register_instance", [outside.managed, outside.runtime_name, outside.runtime_api_endpoint == runtime_url])
daemon.delete_instance(outside.instance_id)
outside = daemon.register_instance(RegisterInstanceRequest(body=register)).instance
tell("register_instance, by its request", [outside.managed, outside.runtime_name])
ids = [instance.instance_id for instance in (first, second, outside)]
tell("list_instances", sorted(ids) == sorted(i.instance_id for i in daemon.list_instances().instances))
tell("list_instances, by its request", len(daemon.list_instances(ListInstancesRequest()).instances))


def run_on(instance_id: str, run_id: str, wrapped: bool) -> None:
    """A run on one instance, from its submission to its trace."""
    request = RunRequest.from_dict(
        {
            "run_id": run_id,
            "input": {"goal": "What is (19*23)?", "context": {"a": [1, None, {"b": 0.5}]}},
            "runtime_selector": {"instance_id": instance_id},
            "limits": {"timeout_ms": 30_000},
            "metadata": {"labels": {"run": run_id}},
            "extensions": {"com.example.n": 18446744073709551616},
        }
    )
    status = daemon.submit_run(SubmitRunRequest(body=request) if wrapped else request)
    tell(f"{run_id}: submit_run", [status.run_id, status.state.value in {"queued", "running"}, bool(status.ended_at)])
    while status.state.value not in ENDED:
        time.sleep(0.05)
        status = daemon.get_run_status(GetRunStatusRequest(run_id) if wrapped else run_id)
    tell(
        f"{run_id}: get_run_status", [status, status.started_at, status.ended_at, status.started_at <= status.ended_at]
    )
    tell(f"{run_id}: state", [str(status.state), f"{status.state}", status.state == "succeeded", status.state.name])
    result = daemon.get_run_result(GetRunResultRequest(run_id) if wrapped else run_id)
    tell(f"{run_id}: get_run_result", result)
    tell(f"{run_id}: result", [result.ok, result.run_id, "437" in str(result.to_dict()["output"]), bool(result.error)])
    trace = daemon.get_run_trace(GetRunTraceRequest(run_id) if wrapped else run_id)
    events = trace.events or []
    tell(f"{run_id}: get_run_trace", [bool(trace.trace_uri), [(e.seq, e.level, e.run_id) for e in events[:1]]])
    tell(f"{run_id}: submitted again", daemon.submit_run(request))


run_on(first.instance_id, "r1", wrapped=False)
run_on(outside.instance_id, "r2", wrapped=True)

page = daemon.list_runs(page_size=1)
tell("list_runs", page.runs)
token = page.pagination.next_page_token
tell("list_runs, the next page", daemon.list_runs(page_size=1, page_token=token).runs)
tell("list_runs, by its request", daemon.list_runs(ListRunsRequest(page_size=1, page_token=token)).runs)
tell("list_runs, all", [run.run_id for run in daemon.list_runs().runs])

tell_error("an unknown run's status", lambda: daemon.get_run_status("no-such-run"))
tell_error("an unknown run's result", lambda: daemon.get_run_result("no-such-run"))
tell_error("an unknown run's trace", lambda: daemon.get_run_trace("no-such-run"))
tell_error("an unknown instance", lambda: daemon.delete_instance("no-such-instance"))
tell_error("an unknown profile", lambda: daemon.delete_runtime_profile("no-such-profile"))
tell_error("an instance of no profile", lambda: daemon.create_instances(InstanceCreateRequest("no-such-profile")))
tell_error(
    "another request under a known id",
    lambda: daemon.submit_run(RunRequest.from_dict({"run_id": "r1", "input": {"goal": "other"}})),
)
tell_error("a bad page token", lambda: daemon.list_runs(page_token="no-such-page"))
tell_error("a page size out of bounds", lambda: daemon.list_runs(page_size=0))
tell_error("an id that needs escaping", lambda: daemon.get_run_status("a/b c?d#e%ü"))
tell_error("a profile in use", lambda: daemon.delete_runtime_profile("by-hand"))

tell("delete_instance", daemon.delete_instance(first.instance_id))
tell("delete_instance, by its request", daemon.delete_instance(DeleteInstanceRequest(second.instance_id)))
daemon.delete_instance(outside.instance_id)
tell("delete_runtime_profile", daemon.delete_runtime_profile("by-hand"))
daemon.upsert_runtime_profile(UpsertRuntimeProfileRequest("again", profile))
tell("delete_runtime_profile, by its request", daemon.delete_runtime_profile(DeleteRuntimeProfileRequest("again")))
tell(
    "what is left",
    [[p.runtime_profile for p in daemon.list_runtime_profiles().profiles], daemon.list_instances().instances],
)
