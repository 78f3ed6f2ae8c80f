"""Waiting for a run's end: by its events, by asking, through troubles, and no longer than was said."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_sdk import _run_handle, _wait
from arp_sdk._wait import RunWaiter
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpRunFailedError, ArpWaitTimeoutError
from arp_sdk.models import RunState, RunStatus
from sdk.both_kinds import open_client
from sdk.scripted import Answer, Script, http, json, playing, stream
from support.bestiary import plain_runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUED = json("202 Accepted", {"run_id": "r1", "state": "queued"})
RUNNING = json("200 OK", {"run_id": "r1", "state": "running"})
SUCCEEDED = json("200 OK", {"run_id": "r1", "state": "succeeded"})
BUSY = json("503 Service Unavailable", {"error": {"code": "stopping", "message": "Stopping."}})
RESULT = json("200 OK", {"run_id": "r1", "ok": True, "output": {"from": "result"}})
NO_EVENTS = json("404 Not Found", {"detail": "Not Found"})


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits between questions short; how many there are stays as it is."""
    monkeypatch.setattr(_wait, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(_wait, "LONGEST_PAUSE", 0.002)


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of client, one after the other."""
    return str(request.param)


def event(seq: int, type_: str = "step", told: str = "{}") -> str:
    """One event of a stream."""
    data = f'{{"run_id":"r1","seq":{seq},"type":"{type_}","time":"2025-06-01T12:00:00Z","data":{told}}}'
    return f"id: {seq}\nevent: {type_}\ndata: {data}\n\n"


async def wait(kind: str, url: str, timeout: float | None = None) -> Any:
    """Wait for the run with a client of the kind, of a runtime as good as of a daemon."""
    async with open_client(kind, "Runtime", url, retries=0) as client:
        return await client.wait_for_run("r1", timeout)


def targets(script: Script) -> list[str]:
    """What was asked for, in order, by the last word of each path."""
    return [script.target(number).rpartition("/")[2] for number in range(len(script.heads))]


async def test_the_end_is_heard_from_the_events(kind: str) -> None:
    """Two questions and one stream are all, however long the run takes."""
    with playing(RUNNING, stream(event(0), event(1, "final"), hold=True), SUCCEEDED) as script:
        status = await wait(kind, script.url)
    assert status.state is RunState.SUCCEEDED
    assert targets(script) == ["r1", "events", "r1"]


async def test_a_run_that_has_ended_is_not_listened_to(kind: str) -> None:
    """One question is enough."""
    with playing(SUCCEEDED) as script:
        await wait(kind, script.url)
    assert targets(script) == ["r1"]


async def result_of_a_new_run(kind: str, url: str) -> Any:
    """Submit a run, and wait for its result."""
    async with open_client(kind, "Runtime", url, retries=0) as client:
        return await (await client.run("x", run_id="r1")).result()


async def test_the_result_of_a_new_run_comes_with_its_last_event(kind: str) -> None:
    """Two requests are all, where the last event tells of success; what it says beyond what is known is passed over."""
    last = event(1, "final", '{"ok":true,"output":{"a":1},"usage":{"b":2},"fresh":3}')
    with playing(QUEUED, stream(event(0), last, hold=True)) as script:
        result = await result_of_a_new_run(kind, script.url)
    assert (result.run_id, result.ok, result.output, result.usage) == ("r1", True, {"a": 1}, {"b": 2})
    assert targets(script) == ["runs", "events"]


@pytest.mark.parametrize(
    "told",
    ["{}", '{"ok":true}', '{"ok":"yes","output":{}}', '{"ok":true,"output":"words"}', '{"ok":false,"output":{}}'],
)
async def test_a_last_event_that_is_no_whole_result_is_not_taken_for_one(kind: str, told: str) -> None:
    """The standard leaves its data to the service: then the run is asked for."""
    with playing(QUEUED, stream(event(0, "final", told)), SUCCEEDED, RESULT) as script:
        assert (await result_of_a_new_run(kind, script.url)).output == {"from": "result"}
    assert targets(script) == ["runs", "events", "r1", "result"]


async def test_a_run_that_did_not_succeed_is_asked_for(kind: str) -> None:
    """The error that is raised has the run's state: it tells failed from canceled."""
    failed = json("200 OK", {"run_id": "r1", "state": "failed"})
    result = json("200 OK", {"run_id": "r1", "ok": False, "error": {"code": "told_so", "message": "As asked."}})
    last = event(0, "error", '{"ok":false,"error":{"code":"told_so","message":"As asked."}}')
    with playing(QUEUED, stream(last), failed, result) as script, pytest.raises(ArpRunFailedError) as caught:
        await result_of_a_new_run(kind, script.url)
    assert (caught.value.code, caught.value.status.state) == ("told_so", RunState.FAILED)


async def test_a_new_run_of_a_service_without_events_is_asked_for(kind: str) -> None:
    """What has no stream is asked, from then on."""
    with playing(QUEUED, NO_EVENTS, RUNNING, SUCCEEDED, RESULT) as script:
        assert (await result_of_a_new_run(kind, script.url)).output == {"from": "result"}
    assert targets(script) == ["runs", "events", "r1", "r1", "result"]


@pytest.mark.parametrize("since", ["long ago", "unknown"])
async def test_a_run_that_has_long_been_there_is_asked_for_first(
    kind: str, since: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have ended, and have many events."""
    monkeypatch.setattr(_run_handle, "_NEW", -1.0)
    with playing(*([QUEUED] if since == "long ago" else []), SUCCEEDED, RESULT) as script:
        if since == "long ago":
            await result_of_a_new_run(kind, script.url)
        else:
            async with open_client(kind, "Runtime", script.url, retries=0) as client:
                await client.run_handle("r1").result()
    assert targets(script)[-2:] == ["r1", "result"]


@pytest.mark.parametrize(
    "answer",
    [
        NO_EVENTS,
        json("405 Method Not Allowed", {}),
        json("501 Not Implemented", {}),
        Answer(http("200 OK", "text/html", b"")),
    ],
)
async def test_a_service_without_events_is_asked_again_and_again(kind: str, answer: Answer) -> None:
    """Events are tried once; then the state alone tells."""
    with playing(RUNNING, answer, RUNNING, RUNNING, SUCCEEDED) as script:
        await wait(kind, script.url)
    assert targets(script) == ["r1", "events", "r1", "r1", "r1"]


async def test_a_stream_that_breaks_is_gone_on_with(kind: str) -> None:
    """The next stream begins after what was heard."""
    with playing(RUNNING, stream(event(0), cut=True), RUNNING, stream(event(1, "final")), SUCCEEDED) as script:
        await wait(kind, script.url)
    assert targets(script) == ["r1", "events", "r1", "events?after=0", "r1"]


async def test_a_state_that_lags_behind_the_last_event_is_asked_for_until_it_tells(kind: str) -> None:
    """After the last event nothing is left to hear."""
    with playing(RUNNING, stream(event(0, "final")), RUNNING, RUNNING, SUCCEEDED) as script:
        await wait(kind, script.url)
    assert targets(script) == ["r1", "events", "r1", "r1", "r1"]


async def test_a_service_that_is_away_for_a_moment_is_waited_for(kind: str) -> None:
    """What had answered may fail some times in a row."""
    with playing(RUNNING, BUSY, BUSY, Answer(b""), SUCCEEDED) as script:
        await wait(kind, script.url)
    assert len(script.heads) == 5


async def test_a_service_that_stays_away_ends_the_wait(kind: str) -> None:
    """After so many tries, what it answered last is raised."""
    with playing(RUNNING, BUSY, *[BUSY] * 60) as script, pytest.raises(ArpApiError) as caught:
        await wait(kind, script.url)
    assert caught.value.code == "stopping"
    with playing(RUNNING) as script, pytest.raises(ArpConnectionError):
        await wait(kind, script.url)


async def test_what_the_service_refuses_is_raised_at_once(kind: str) -> None:
    """An unknown run is nothing to wait for, neither at the beginning nor later."""
    gone = json("404 Not Found", {"error": {"code": "run_not_found", "message": "Gone."}})
    for answers in ([gone], [RUNNING, NO_EVENTS, gone]):
        with playing(*answers) as script, pytest.raises(ArpApiError) as caught:
            await wait(kind, script.url)
        assert caught.value.code == "run_not_found"


async def test_a_silent_run_is_waited_for_as_long_as_was_said(kind: str) -> None:
    """A stream without a word ends with the time; nothing is canceled."""
    with (
        playing(RUNNING, stream(": hello\n\n", hold=True), RUNNING) as script,
        anyio.fail_after(10),
        pytest.raises(ArpWaitTimeoutError) as caught,
    ):
        await wait(kind, script.url, 0.3)
    assert (caught.value.timeout, caught.value.status) == (0.3, RunStatus("r1", RunState.RUNNING))
    assert targets(script)[:2] == ["r1", "events"]
    assert not [head for head in script.heads if head.startswith("POST")]


async def test_a_service_that_hangs_takes_no_more_time_than_there_is(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that gets no answer ends with the time as well."""
    monkeypatch.setattr(_wait, "ASK_TIMEOUT", 0.05)
    with (
        playing(RUNNING, NO_EVENTS, *[Answer(b"", hold=True)] * 20) as script,
        anyio.fail_after(10),
        pytest.raises(ArpWaitTimeoutError),
    ):
        await wait(kind, script.url, 0.2)


def waiter_at(clock: list[float], timeout: float | None) -> RunWaiter:
    """A waiter whose run runs, and whose time the test tells."""
    waiter = RunWaiter("r1", timeout, lambda: clock[0])
    waiter.ask()
    waiter.told(RunStatus("r1", RunState.RUNNING))
    return waiter


def test_a_stream_is_opened_anew_before_it_could_outlast_the_time() -> None:
    """A word of it starts its patience anew; what would then go beyond the end is not waited for."""
    clock = [0.0]
    waiter = waiter_at(clock, 10.0)
    assert waiter.listen()[1] == 10.0
    waiter.opened(200, {"content-type": "text/event-stream"})
    clock[0] = _wait.SLACK / 2
    assert waiter.hears(b": still here\n\n")
    clock[0] = 3.0
    assert not waiter.hears(b": still here\n\n")
    assert waiter.pause() == 0.0
    assert waiter.listen()[1] == 7.0
    clock[0] = 9.9
    assert waiter.listen()[1] == pytest.approx(0.1)
    clock[0] = 10.0
    assert not waiter.hears(b": still here\n\n")
    with pytest.raises(ArpWaitTimeoutError):
        waiter.pause()


def test_pauses_grow_up_to_the_longest_and_never_over_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits long asks seldom; a new event makes the pauses short again."""
    monkeypatch.undo()
    clock = [0.0]
    waiter = waiter_at(clock, None)
    pauses = [waiter.pause() for _ in range(8)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    waiter.listen()
    waiter.opened(200, {"content-type": "text/event-stream"})
    assert waiter.hears(event(0).encode())
    assert waiter.pause() == 0.05
    short = waiter_at(clock, 0.07)
    assert [short.pause(), short.pause()] == [0.05, 0.07]


@pytest.fixture
def plain() -> Iterator[str]:
    """A runtime without events, in a thread."""
    with ThreadingHTTPServer(("127.0.0.1", 0), plain_runtime._Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


async def test_a_runtime_that_has_nothing_but_what_the_standard_requires(kind: str, plain: str) -> None:
    """A run is submitted, waited for and read where nothing streams; one that fails raises as anywhere."""
    async with open_client(kind, "Runtime", plain) as client:
        run = await client.run("say it", run_id=f"plain-{kind}")
        assert (await run.result(10)).output == {"echo": "say it"}
        with pytest.raises(ArpRunFailedError) as caught:
            await (await client.run("fail", run_id=f"bad-{kind}")).result(10)
    assert (caught.value.code, caught.value.message) == ("told_so", "as asked")
