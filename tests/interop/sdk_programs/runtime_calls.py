"""Makes every call that a runtime client has, in each way that it can be made, on a fresh runtime."""

import sys
import time

from transcript import tell, tell_error

from arp_sdk.models import RunRequest
from arp_sdk.runtime import (
    CancelRunRequest,
    CreateRunRequest,
    GetRunResultRequest,
    GetRunStatusRequest,
    HealthRequest,
    RuntimeClient,
    StreamRunEventsRequest,
    VersionRequest,
)

ENDED = {"succeeded", "failed", "canceled"}

_, runtime_url = sys.argv
runtime = RuntimeClient(base_url=runtime_url)

tell("health", runtime.health().status)
tell("health, by its request", runtime.health(HealthRequest()).status)
tell("version", [runtime.version().service_name, runtime.version().supported_api_versions])
tell("version, by its request", runtime.version(VersionRequest()).service_name)

request = RunRequest.from_dict({"run_id": "r1", "input": {"goal": "What is (19*23)?", "data": {"ü": [None]}}})
status = runtime.create_run(request)
tell("create_run", status.run_id)
while status.state.value not in ENDED:
    time.sleep(0.05)
    status = runtime.get_run_status("r1")
tell("get_run_status", [status, status.started_at <= status.ended_at])
tell("get_run_status, by its request", runtime.get_run_status(GetRunStatusRequest(run_id="r1")))
tell("create_run again, by its request", runtime.create_run(CreateRunRequest(body=request)))
tell("get_run_result", runtime.get_run_result("r1"))
tell("get_run_result, by its request", runtime.get_run_result(GetRunResultRequest("r1")).ok)
text = runtime.stream_run_events("r1")
tell("stream_run_events", text)
tell("stream_run_events, by its request", runtime.stream_run_events(StreamRunEventsRequest("r1")) == text)

runtime.create_run(RunRequest.from_dict({"run_id": "r2", "input": {"goal": "wait 600 s"}}))
tell_error("the result of a run that goes on", lambda: runtime.get_run_result("r2"))
tell("cancel_run", runtime.cancel_run("r2"))
tell("the result of a canceled run", runtime.get_run_result("r2"))
runtime.create_run(RunRequest.from_dict({"run_id": "r3", "input": {"goal": "wait 600 s"}}))
tell("cancel_run, by its request", runtime.cancel_run(CancelRunRequest("r3")).state)

runtime.create_run(RunRequest.from_dict({"run_id": "r4", "input": {"goal": "fail"}}))
runtime.stream_run_events("r4")
failed = runtime.get_run_result("r4")
tell("the result of a failed run", [failed, failed.ok, failed.error.code, failed.error.message, bool(failed.output)])

tell_error("an unknown run's status", lambda: runtime.get_run_status("no-such-run"))
tell_error("an unknown run's result", lambda: runtime.get_run_result("no-such-run"))
tell_error("an unknown run's events", lambda: runtime.stream_run_events("no-such-run"))
tell_error("an unknown run to cancel", lambda: runtime.cancel_run("no-such-run"))
other = RunRequest.from_dict({"run_id": "r1", "input": {"goal": "other"}})
tell_error("another request under a known id", lambda: runtime.create_run(other))
