"""The operations over HTTP, on a real runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_model import ErrorEnvelope, Health, RunResult, RunState, RunStatus, VersionInfo
from runtime.streams import execute, following, read_all

if TYPE_CHECKING:
    import httpx

_JSON = {"Content-Type": "application/json"}


def _error(answer: httpx.Response, status: int, code: str) -> str:
    """Check that the answer is an ErrorEnvelope; return its message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = ErrorEnvelope.from_json(answer.content).error
    assert error.code == code
    assert "Traceback" not in answer.text
    return error.message


async def test_a_goal_goes_in_and_a_result_comes_out(client: httpx.AsyncClient) -> None:
    """Create answers at once with the run queued; status, events and result follow."""
    created = await client.post("/v1/runs", json={"run_id": "sum", "input": {"goal": "What is (19*23)?"}})
    assert created.status_code == 200
    assert RunStatus.from_json(created.content) == RunStatus(run_id="sum", state=RunState.QUEUED)
    events = await read_all(client, "/v1/runs/sum/events")
    status = RunStatus.from_json((await client.get("/v1/runs/sum")).content)
    assert status.state is RunState.SUCCEEDED
    result = RunResult.from_json((await client.get("/v1/runs/sum/result")).content)
    assert result.ok
    assert result.output
    assert result.output["answer"] == "(19*23) = 437"
    assert {"run_id": "sum", **events[-1].data["data"]} == result.to_dict()


async def test_health_says_how_many_runs_are_under_way(client: httpx.AsyncClient) -> None:
    """Status ok, with a check on runs."""
    health = Health.from_json((await client.get("/v1/health")).content)
    assert health.status.value == "ok"
    assert health.checks
    assert health.checks[0].name == "runs"


async def test_version_tells_features_and_nonce(client: httpx.AsyncClient) -> None:
    """So a daemon knows what it may use, and that this is the process it launched."""
    version = VersionInfo.from_json((await client.get("/v1/version")).content)
    assert version.service_name == "arp-runtime"
    assert version.supported_api_versions == ["v1"]
    assert version.extensions == {
        "arp.features": ["runs.batch", "events", "run.events", "run.events.ndjson", "run.trace", "run.cancel"],
        "arp.max_concurrent_runs": 100,
        "arp.nonce": "n-1",
    }


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "input"),
        ({"input": {}}, "$.input"),
        ({"input": {"goal": 1}}, "$.input.goal"),
        ({"input": {"goal": "x", "gaol": "y"}}, "gaol"),
        ({"input": {"goal": "x"}, "extra": 1}, "extra"),
        ({"input": {"goal": "x", "data": []}}, "$.input.data"),
        ({"input": {"goal": "x"}, "run_id": 1}, "$.run_id"),
        ({"input": {"goal": "x"}, "run_id": "a/b"}, "$.run_id"),
        ({"input": {"goal": "x"}, "run_id": "x" * 129}, "$.run_id"),
        ({"input": {"goal": "x"}, "limits": {"timeout_ms": -1}}, "$.limits.timeout_ms"),
        ({"input": {"goal": "x"}, "limits": {"max_steps": 0}}, "$.limits.max_steps"),
        ({"input": {"goal": "x"}, "tool_policy": {"allow_tool_ids": [1]}}, "$.tool_policy.allow_tool_ids[0]"),
        ({"input": {"goal": "x"}, "extensions": {"nodot": 1}}, "$.extensions"),
        ([], "object"),
    ],
)
async def test_a_request_that_breaks_the_contract_is_told_where(
    client: httpx.AsyncClient, body: Any, place: str
) -> None:
    """400, with the place in the message; no run is made of it."""
    assert place in _error(await client.post("/v1/runs", json=body), 400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"input": {"goal": "\xff"}}',
        b'{"input":{"goal":"x","data":{"a":' + b"[" * 100_000,
        b'{"input":{"goal":"x"}} x',
    ],
)
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    """400 invalid_json: broken, cut off, not UTF-8 or nested too deep."""
    _error(await client.post("/v1/runs", content=body, headers=_JSON), 400, "invalid_json")


async def test_a_body_that_is_not_declared_as_json_is_refused(client: httpx.AsyncClient) -> None:
    """415: a page of another site could send such a form."""
    _error(await client.post("/v1/runs", content=b'{"input":{"goal":"x"}}'), 415, "unsupported_media_type")


async def test_a_body_over_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    """413; the batch operation takes more."""
    body = {"input": {"goal": "x", "data": {"x": "y" * 5 * 1024 * 1024}}}
    _error(await client.post("/v1/runs", json=body), 413, "body_too_large")
    results = (await client.post("/v1/runs:batch", json={"runs": [body]})).json()["results"]
    assert results[0]["status"]["state"] == "queued"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/nowhere", 404, "not_found"),
        ("GET", "/v1/runs/", 404, "not_found"),
        ("GET", "/v1/runs/a%2Fb", 404, "not_found"),
        ("GET", "/v1/runs/nobody", 404, "run_not_found"),
        ("GET", "/v1/runs/%00", 404, "run_not_found"),
        ("GET", "/v1/runs/nobody/result", 404, "run_not_found"),
        ("GET", "/v1/runs/nobody/events", 404, "run_not_found"),
        ("POST", "/v1/runs/nobody:cancel", 404, "run_not_found"),
        ("DELETE", "/v1/runs", 405, "method_not_allowed"),
        ("GET", "/v1/runs:batch", 405, "method_not_allowed"),
        ("GET", "/v1/runs/nobody:cancel", 405, "method_not_allowed"),
        ("POST", "/v1/health", 405, "method_not_allowed"),
    ],
)
async def test_every_refusal_is_an_error_envelope(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """Unknown paths, wrong methods and unknown runs, each with its code."""
    _error(await client.request(method, path), status, code)


async def test_a_result_before_the_end_is_409(client: httpx.AsyncClient) -> None:
    """Retryable; and a cancelled run has its result at once."""
    await client.post("/v1/runs", json={"run_id": "long", "input": {"goal": "wait 60 seconds"}})
    answer = await client.get("/v1/runs/long/result")
    _error(answer, 409, "run_not_finished")
    assert answer.json()["error"]["retryable"] is True
    canceled = await client.post("/v1/runs/long:cancel")
    assert RunStatus.from_json(canceled.content).state is RunState.CANCELED
    result = RunResult.from_json((await client.get("/v1/runs/long/result")).content)
    assert result.error
    assert (result.ok, result.error.code) == (False, "canceled")
    assert (await client.post("/v1/runs/long:cancel")).content == canceled.content


async def test_a_cancel_in_the_middle_stops_the_events(client: httpx.AsyncClient) -> None:
    """Those that were there stay, and one error with code canceled closes them."""
    await client.post("/v1/runs", json={"run_id": "mid", "input": {"goal": "count to 1000000 slowly"}})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_after_first_token, client, "mid")
            events = await read_all(client, "/v1/runs/mid/events")
    assert "token" in [event.type for event in events]
    assert events[-1].type == "error"
    assert events[-1].data["data"]["error"]["code"] == "canceled"


async def _cancel_after_first_token(client: httpx.AsyncClient, run_id: str) -> None:
    async with following(client, f"/v1/runs/{run_id}/events") as events:
        async for event in events:
            if event.type == "token":
                break
    assert (await client.post(f"/v1/runs/{run_id}:cancel")).json()["state"] == "canceled"


async def test_the_same_request_again_gives_the_same_run(client: httpx.AsyncClient) -> None:
    """And another one with its id is 409 run_conflict."""
    body = {"run_id": "twice", "input": {"goal": "x"}}
    await client.post("/v1/runs", json=body)
    await read_all(client, "/v1/runs/twice/events")
    again = await client.post("/v1/runs", json=body)
    assert again.json()["state"] == "succeeded"
    other = await client.post("/v1/runs", json={"run_id": "twice", "input": {"goal": "y"}})
    _error(other, 409, "run_conflict")


async def test_a_batch_is_answered_item_by_item(client: httpx.AsyncClient) -> None:
    """Each as if it had come alone, in the order of the request; a wrong one spoils no other."""
    items: list[Any] = [
        {"run_id": "b1", "input": {"goal": "x"}},
        {"input": {"goal": 1}},
        {"run_id": "b1", "input": {"goal": "x"}},
        {"run_id": "b1", "input": {"goal": "y"}},
        {"run_id": "a/b", "input": {"goal": "x"}},
        "rubbish",
        {"input": {"goal": "z"}},
    ]
    answer = await client.post("/v1/runs:batch", json={"runs": items})
    assert answer.status_code == 200
    results = answer.json()["results"]
    told = [item["status"]["state"] if "status" in item else item["error"]["code"] for item in results]
    assert told == [
        "queued",
        "invalid_request",
        "queued",
        "run_conflict",
        "invalid_request",
        "invalid_request",
        "queued",
    ]
    alone = await client.post("/v1/runs", json=items[1])
    assert results[1]["error"] == alone.json()["error"]


@pytest.mark.parametrize("runs", [[], [{}] * 1001, {}, None])
async def test_a_batch_of_another_size_is_refused(client: httpx.AsyncClient, runs: Any) -> None:
    """1 to 1000 runs."""
    assert "$.runs" in _error(await client.post("/v1/runs:batch", json={"runs": runs}), 400, "invalid_request")


async def test_a_batch_of_a_thousand_runs_is_executed(client: httpx.AsyncClient) -> None:
    """All of them, each with its own answer."""
    body = {"runs": [{"run_id": f"k{number}", "input": {"goal": f"{number}+1"}} for number in range(1000)]}
    assert len((await client.post("/v1/runs:batch", json=body)).json()["results"]) == 1000
    for number in (0, 500, 999):
        last = (await read_all(client, f"/v1/runs/k{number}/events"))[-1]
        assert last.data["data"]["output"]["result"]["value"] == number + 1


async def test_other_hosts_and_other_sites_are_turned_away(client: httpx.AsyncClient) -> None:
    """The door stands before everything."""
    body = {"input": {"goal": "x"}}
    _error(await client.post("/v1/runs", json=body, headers={"Host": "evil.example"}), 403, "host_not_allowed")
    _error(
        await client.post("/v1/runs", json=body, headers={"Origin": "http://evil.example"}), 403, "origin_not_allowed"
    )
    _error(await client.get("/v1/health", headers={"X-Forwarded-For": "10.0.0.1"}), 401, "unauthorized")


async def test_a_run_that_fails_says_why(client: httpx.AsyncClient) -> None:
    """In the last event, which is an error."""
    last = (await execute(client, "fail: because it was asked to"))[-1]
    assert last.type == "error"
    assert last.data["data"]["error"] == {"code": "failed_on_purpose", "message": "because it was asked to"}
