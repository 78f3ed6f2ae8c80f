"""The service that users' tests may call: it does what it is told, and what it does a real daemon does as well."""

from __future__ import annotations

import socket
import threading
import warnings
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest

from arp_sdk import ArpApiError, ArpRunCanceledError, ArpRunFailedError, ArpWaitTimeoutError, DaemonClient
from arp_sdk.models import ErrorDetail, InstanceListResponse, RunEventType, RunState
from arp_sdk.testing import FakeService
from sdk.both_kinds import open_client
from support.daemon import running_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

PATIENCE = 10


@pytest.fixture
def fake() -> Iterator[FakeService]:
    """A service that nobody has told anything yet."""
    with FakeService() as service:
        yield service


@pytest.fixture(params=["sync Daemon", "async Daemon", "sync Runtime", "async Runtime"])
async def client(request: pytest.FixtureRequest, fake: FakeService) -> AsyncIterator[Any]:
    """A client of it, of every kind."""
    kind, name = request.param.split()
    async with open_client(kind, name, fake.url) as opened:
        yield opened


async def test_a_run_ends_as_it_was_told(fake: FakeService, client: Any) -> None:
    """Output, errors and events are those of the script; what was asked for can be looked at."""
    fake.on("What is 2+2?", output={"answer": "4"}, events=[("token", {"text": "4"})])
    fake.on("Break", error="agent_error", output={"partial": True})
    fake.on("Say nothing")
    fake.on(None, error=ErrorDetail("queue_full", "Too much waits.", retryable=True))
    run = await client.run("What is 2+2?", labels={"team": "blue"})
    assert (await run.result(PATIENCE)).output == {"answer": "4"}
    assert (await (await client.run("Say nothing")).result(PATIENCE)).output == {}
    events = [event async for event in run.events()]
    assert [(event.seq, event.type_) for event in events] == [(0, RunEventType.TOKEN), (1, RunEventType.FINAL)]
    assert [event.seq async for event in run.events(after=0)] == [1]
    for goal, code, output, retryable in (
        ("Break", "agent_error", {"partial": True}, None),
        ("anything", "queue_full", {}, True),
    ):
        with pytest.raises(ArpRunFailedError) as caught:
            await (await client.run(goal)).result(PATIENCE)
        assert (caught.value.code, caught.value.output, caught.value.retryable) == (code, output, retryable)
    assert [request.input_.goal for request in fake.requests] == ["What is 2+2?", "Say nothing", "Break", "anything"]


async def test_a_goal_that_nothing_was_said_of_fails_and_says_so(client: Any) -> None:
    """A typing mistake in a test shows itself."""
    with pytest.raises(ArpRunFailedError, match="not_scripted: FakeService was not told what becomes of 'hello'"):
        await (await client.run("hello")).result(PATIENCE)


async def test_a_run_that_is_held_ends_when_the_test_says(fake: FakeService, client: Any) -> None:
    """Waits time out, streams stay open, and both go on when the run ends; a canceled one ends at once."""
    fake.on("Dig", output={"answer": "dug"}, events=[("step", {"name": "plan"})], holds=True)
    run = await client.run("Dig")
    with pytest.raises(ArpWaitTimeoutError):
        await run.result(0.1)
    with pytest.raises(ArpApiError, match="run_not_finished"):
        await client.get_run_result(run.run_id)
    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(PATIENCE):
            async for event in run.events():
                if event.type_ is RunEventType.STEP:
                    tasks.start_soon(run.result)
                    fake.finish(run.run_id)
    assert (await run.result(0)).output == {"answer": "dug"}
    other = await client.run("Dig", run_id="another")
    assert (await other.cancel()).state is RunState.CANCELED
    with pytest.raises(ArpRunCanceledError):
        await other.result(PATIENCE)


async def test_troubles_come_when_they_are_ordered(fake: FakeService, client: Any) -> None:
    """A client that tries again gets through; streams that break are gone on with, and nothing comes twice."""
    fake.on("Talk", output={}, events=[("token", {"text": str(n)}) for n in range(5)])
    fake.unavailable(times=2, retry_after=0)
    run = await client.run("Talk")
    assert len(fake.requests) == 1
    fake.cut_events(after=0)
    fake.cut_events(after=2, times=2)
    assert [event.seq async for event in run.events()] == list(range(6))
    fake.unavailable(times=99)
    with pytest.raises(ArpApiError, match="unavailable"):
        await run.status()


def test_more_can_be_answered(fake: FakeService) -> None:
    """What is not built in is told; what was not told says so."""
    fake.answer("GET", "/v1/instances", InstanceListResponse(instances=[]))
    with DaemonClient(fake.url) as daemon:
        assert daemon.list_instances().instances == []
        assert daemon.version().service_name == "arp-sdk-fake"
        assert daemon.health().status == "ok"
        with pytest.raises(ArpApiError, match="was not told what to answer to GET /v1/admin/runtime-profiles"):
            daemon.list_runtime_profiles()
        with pytest.raises(ArpApiError, match="does not choose runs by runtime_profile"):
            daemon.list_runs(runtime_profile="x")


async def test_closing_leaves_nothing_behind() -> None:
    """Also where a client still listens: its threads end, and its port is free."""
    before = threading.active_count()
    fake = FakeService()
    fake.on("Dig", holds=True, events=[("step", {})])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with httpx.AsyncClient(base_url=fake.url) as client:
            await client.post("/v1/runs", json={"run_id": "r1", "input": {"goal": "Dig"}})
            async with client.stream("GET", "/v1/runs/r1/events") as response:
                pieces = response.aiter_raw()
                assert b"id: 0" in await anext(pieces)
                fake.close()
    assert threading.active_count() == before
    with pytest.raises(OSError, match="connection attempts failed"):
        await anyio.connect_tcp("127.0.0.1", int(fake.url.rpartition(":")[2]))


def test_who_goes_away_is_not_told_of(fake: FakeService, capfd: pytest.CaptureFixture[str]) -> None:
    """A program that stops listening is none of the fake's errors: nothing is written to the test's output."""
    fake.on("Dig", holds=True)
    with DaemonClient(fake.url) as daemon:
        run = daemon.run("Dig")
        with socket.create_connection(("127.0.0.1", int(fake.url.rpartition(":")[2])), PATIENCE) as gone:
            gone.sendall(f"GET /v1/runs/{run.run_id}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert gone.recv(1000).startswith(b"HTTP/1.1 200")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        fake.finish(run.run_id)
    fake.close()
    assert capfd.readouterr().err == ""


GOALS = {"good": "hello", "bad": "Fail, on purpose"}
# What is asked of a fake and of a real daemon, in this order.
QUESTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/health", {}),
    ("POST", "/v1/runs", {"json": {"run_id": "good", "input": {"goal": GOALS["good"]}}}),
    ("POST", "/v1/runs", {"json": {"run_id": "good", "input": {"goal": "other"}}}),
    (
        "POST",
        "/v1/runs",
        {"json": {"run_id": "bad", "input": {"goal": GOALS["bad"]}, "metadata": {"labels": {"a": "b"}}}},
    ),
    ("POST", "/v1/runs", {"json": {"input": {}}}),
    ("POST", "/v1/runs", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    ("GET", "/v1/runs/good/events", {}),
    ("GET", "/v1/runs/bad/events", {}),
    ("GET", "/v1/runs/good/events?after=0", {}),
    ("GET", "/v1/runs/good/events?after=x", {}),
    ("GET", "/v1/runs/bad/events", {"headers": {"Last-Event-ID": "0"}}),
    ("GET", "/v1/runs/none/events", {}),
    ("GET", "/v1/runs/good", {}),
    ("GET", "/v1/runs/bad/result", {}),
    ("GET", "/v1/runs/none/result", {}),
    ("POST", "/v1/runs/good:cancel", {}),
    ("POST", "/v1/runs/none:cancel", {}),
    ("GET", "/v1/runs?page_size=1", {}),
    ("GET", "/v1/runs?state=failed&label=a=b", {}),
    ("GET", "/v1/runs?page_token=nonsense", {}),
    ("POST", "/v1/runs:batch", {"json": {"runs": [{"run_id": "good", "input": {"goal": "other"}}]}}),
    ("GET", "/v1/nothing", {}),
]


async def heard(url: str) -> list[Any]:
    """What a service answers to all of it, without what is its own."""
    found = []
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as client:
        for method, path, options in QUESTIONS:
            response = await client.request(method, path, **options)
            found.append((method, path, response.status_code, gist(response)))
    return found


def gist(response: httpx.Response) -> Any:
    """The code of an error, the last event's type and place, or the fields that there are."""
    if response.headers["content-type"].startswith("text/event-stream"):
        return [line for line in response.text.splitlines() if line == "event: final" or line == "event: error"]
    body = response.json()
    if "error" in body and not response.is_success:
        return body["error"]["code"], body["error"].get("retryable")
    known = {"run_id", "state", "ok", "error", "runs", "pagination", "results", "status"}
    kept = {name: value for name, value in body.items() if name in known}
    if "runs" in kept:
        kept["runs"] = [run["run_id"] for run in kept["runs"]]
        kept["pagination"] = sorted(kept.get("pagination", {}))
    if "results" in kept:
        kept["results"] = [item["error"]["code"] for item in kept["results"]]
    if "error" in kept:
        kept["error"] = sorted(kept["error"])
    return kept


async def test_what_the_fake_answers_a_real_daemon_answers_as_well(fake: FakeService, tmp_path: Path) -> None:
    """Whoever trusts the fake is not deceived: statuses, codes and fields are those of arp-daemon."""
    fake.on(GOALS["good"], output={"answer": "Hello."}, events=[("step", {})])
    fake.on(GOALS["bad"], error="failed_on_purpose", events=[("step", {})])
    async with running_daemon(tmp_path / "data") as daemon:
        real = await heard(daemon.url)
    assert await heard(fake.url) == real
