"""Calls everything that a daemon client has. Works with arp-standard-py 0.1.0 and with ours alike."""

import sys
import time

from arp_sdk.daemon import DaemonClient, ListRunsRequest, UpsertRuntimeProfileRequest
from arp_sdk.errors import ArpApiError
from arp_sdk.models import (
    InstanceCreateRequest,
    InstanceRegisterRequest,
    RunRequest,
    RuntimeProfileUpsertRequest,
)

ENDED = {"succeeded", "failed", "canceled"}
PROFILE = "by-hand"

_, daemon_url, runtime_url = sys.argv
daemon = DaemonClient(base_url=daemon_url)

assert daemon.health().to_dict()["status"] == "ok"
assert daemon.version().to_dict()["supported_api_versions"] == ["v1"]

profile = RuntimeProfileUpsertRequest.from_dict(
    {"description": "x", "extensions": {"arp.exec": {"driver": "runtime", "max": 2}}}
)
put = daemon.upsert_runtime_profile(UpsertRuntimeProfileRequest(runtime_profile=PROFILE, body=profile))
assert put.to_dict() == {"runtime_profile": PROFILE, **profile.to_dict()}
assert PROFILE in [p["runtime_profile"] for p in daemon.list_runtime_profiles().to_dict()["profiles"]]

created = daemon.create_instances(InstanceCreateRequest(runtime_profile=PROFILE, count=1)).instances
registered = daemon.register_instance(InstanceRegisterRequest(runtime_api_endpoint=runtime_url)).instance
assert [created[0].managed, registered.managed] == [True, False]
listed = [instance.instance_id for instance in daemon.list_instances().instances]
assert {created[0].instance_id, registered.instance_id} <= set(listed)

for instance in (created[0], registered):
    selector = {"instance_id": instance.instance_id}
    request = {"input": {"goal": "What is (19*23)?"}, "runtime_selector": selector, "limits": {"timeout_ms": 30_000}}
    status = daemon.submit_run(RunRequest.from_dict(request))
    while status.state.value not in ENDED:
        time.sleep(0.05)
        status = daemon.get_run_status(status.run_id)
    assert (status.state.value, status.runtime_instance_id) == ("succeeded", instance.instance_id)
    result = daemon.get_run_result(status.run_id)
    assert result.ok
    assert "437" in str(result.to_dict()["output"])
    assert daemon.get_run_trace(status.run_id).to_dict()["events"]
    assert daemon.list_runs(ListRunsRequest(page_size=1)).runs[0].run_id == status.run_id

for instance in (created[0], registered):
    daemon.delete_instance(instance.instance_id)
daemon.delete_runtime_profile(PROFILE)
assert PROFILE not in [p["runtime_profile"] for p in daemon.list_runtime_profiles().to_dict()["profiles"]]

refused: tuple[object, str] | None = None
try:
    daemon.get_run_result("no-such-run")
except ArpApiError as error:
    refused = (error.status_code, error.code)
assert refused == (404, "run_not_found"), refused
