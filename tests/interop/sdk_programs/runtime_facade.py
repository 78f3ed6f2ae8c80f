"""Calls everything that a runtime client has. Works with arp-standard-py 0.1.0 and with ours alike."""

import sys
import time

from arp_sdk.errors import ArpApiError
from arp_sdk.models import RunRequest
from arp_sdk.runtime import CreateRunRequest, RuntimeClient

ENDED = {"succeeded", "failed", "canceled"}

_, runtime_url = sys.argv
runtime = RuntimeClient(base_url=runtime_url)

assert runtime.health().to_dict()["status"] == "ok"
assert runtime.version().to_dict()["supported_api_versions"] == ["v1"]

request = RunRequest.from_dict({"run_id": "r1", "input": {"goal": "What is (19*23)?", "context": {"a": 1}}})
status = runtime.create_run(CreateRunRequest(body=request))
while status.state.value not in ENDED:
    time.sleep(0.05)
    status = runtime.get_run_status("r1")
assert status.state.value == "succeeded"
assert str(status.started_at) <= str(status.ended_at)
result = runtime.get_run_result("r1")
assert (result.run_id, result.ok) == ("r1", True)
assert runtime.create_run(request).to_dict() == status.to_dict()
assert '"type":"final"' in runtime.stream_run_events("r1")

runtime.create_run(RunRequest.from_dict({"run_id": "r2", "input": {"goal": "wait 600 s"}}))
refused: tuple[object, str] | None = None
try:
    runtime.get_run_result("r2")
except ArpApiError as error:
    refused = (error.status_code, error.code)
assert refused == (409, "run_not_finished"), refused
assert runtime.cancel_run("r2").state.value == "canceled"
assert runtime.get_run_result("r2").ok is False
