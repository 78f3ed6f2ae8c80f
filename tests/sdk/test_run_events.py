"""Following a run: every event once and in order, whatever happens to the connections."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from arp_sdk import AsyncDaemonClient, _follow, _http
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpResponseError
from sdk.scripted import Answer, http, json, playing, stream

if TYPE_CHECKING:
    from sdk.conftest import Caller

STATUS_RUNNING = json("200 OK", {"run_id": "r1", "state": "running"})
STATUS_SUCCEEDED = json("200 OK", {"run_id": "r1", "state": "succeeded"})


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits between tries short; how many there are stays as it is."""
    monkeypatch.setattr(_follow, "RESUME_DELAY", 0.001)


def event(seq: int, type_: str = "step", id_: str | None = None) -> str:
    """One event of a stream, with the seq for its id as our services send it."""
    data = f'{{"run_id":"r1","seq":{seq},"type":"{type_}","time":"2025-06-01T12:00:00Z","data":{{}}}}'
    return f"id: {seq if id_ is None else id_}\nevent: {type_}\ndata: {data}\n\n"


FINAL = event(3, "final")


async def test_events_come_in_order_up_to_the_last(caller: Caller) -> None:
    """A whole stream yields each event and then ends."""
    with playing(stream(event(0), event(1), event(2), FINAL)) as script:
        events = await caller.follow(script.url, "r1")
    assert [(e.seq, e.type_.value) for e in events] == [(0, "step"), (1, "step"), (2, "step"), (3, "final")]
    assert script.target(0) == "/v1/runs/r1/events"


async def test_an_error_is_a_last_event_too(caller: Caller) -> None:
    """A failed run's stream ends after its `error`."""
    with playing(stream(event(0), event(1, "error"), event(2), hold=True)) as script:
        events = await caller.follow(script.url, "r1")
    assert [e.type_.value for e in events] == ["step", "error"]


async def test_the_iterator_ends_at_the_last_event_though_the_stream_stays_open(caller: Caller) -> None:
    """A service that leaves the stream open does not keep the caller waiting."""
    with playing(stream(FINAL, hold=True)) as script, anyio.fail_after(5):
        assert len(await caller.follow(script.url, "r1")) == 1


@pytest.mark.parametrize("how", [{"cut": True}, {"reset": True}, {}])
async def test_a_broken_stream_is_taken_up_where_it_ended(caller: Caller, how: dict[str, bool]) -> None:
    """After a cut, a reset or an early end, the next connection says what was seen last; nothing comes twice."""
    answers = [stream(event(0), event(1), **how), stream(event(2), FINAL)]
    if not how:
        answers.insert(1, STATUS_RUNNING)
    with playing(*answers) as script:
        events = await caller.follow(script.url, "r1")
    assert [e.seq for e in events] == [0, 1, 2, 3]
    assert script.header(len(answers) - 1, "last-event-id") == "1"
    assert script.target(len(answers) - 1) == "/v1/runs/r1/events?after=1"


async def test_half_an_event_at_a_break_is_not_an_event(caller: Caller) -> None:
    """What was cut in the middle of an event is received again as a whole."""
    with playing(stream(event(0), event(1)[:40], cut=True), stream(event(1), event(2), FINAL)) as script:
        events = await caller.follow(script.url, "r1")
    assert [e.seq for e in events] == [0, 1, 2, 3]


async def test_a_service_that_cannot_resume_repeats_nothing(caller: Caller) -> None:
    """A service that knows no `Last-Event-ID` begins again, and what was seen already is left out."""
    with playing(stream(event(0), event(1), cut=True), stream(event(0), event(1), event(2), FINAL)) as script:
        events = await caller.follow(script.url, "r1")
    assert [e.seq for e in events] == [0, 1, 2, 3]


async def test_a_foreign_id_is_what_is_sent_to_resume(caller: Caller) -> None:
    """The `id` of a stream is the service's own, and is given back as it came."""
    with playing(stream(event(0, id_="cursor-a"), cut=True), stream(event(1, "final"))) as script:
        await caller.follow(script.url, "r1")
    assert script.header(1, "last-event-id") == "cursor-a"


async def test_missed_events_are_an_error_and_not_passed_over(caller: Caller) -> None:
    """Where a resumed stream goes on too late, the caller learns of it."""
    with (
        playing(stream(event(0), cut=True), stream(event(2), FINAL)) as script,
        pytest.raises(ArpResponseError) as caught,
    ):
        await caller.follow(script.url, "r1")
    assert caught.value.code == "events_missed"


async def test_after_begins_behind_the_event_that_was_seen(caller: Caller) -> None:
    """`after` goes into the query, and 0 is not the same as nothing."""
    with playing(stream(event(1), event(2), FINAL)) as script:
        events = await caller.follow(script.url, "r1", after=0)
    assert [e.seq for e in events] == [1, 2, 3]
    assert script.target(0) == "/v1/runs/r1/events?after=0"
    assert script.header(0, "last-event-id") is None


async def test_nothing_comes_after_the_last_event_of_a_run(caller: Caller) -> None:
    """Whoever has seen the last event already gets none, and no error."""
    with playing(stream(), STATUS_SUCCEEDED, stream(), STATUS_SUCCEEDED) as script:
        assert await caller.follow(script.url, "r1", after=3) == []


async def test_a_run_that_ends_between_two_connections_loses_no_event(caller: Caller) -> None:
    """That the run has ended is no proof that all was heard: the stream is asked once more."""
    with playing(stream(event(0)), STATUS_SUCCEEDED, stream(event(1), event(2), FINAL)) as script:
        events = await caller.follow(script.url, "r1")
    assert [e.seq for e in events] == [0, 1, 2, 3]


async def test_a_run_that_has_ended_may_be_told_in_many_streams(caller: Caller) -> None:
    """As long as each connection brings something new, there may be more."""
    told = [stream(event(0)), STATUS_SUCCEEDED, stream(event(1)), STATUS_SUCCEEDED, stream(event(2), FINAL)]
    with playing(*told) as script:
        assert [e.seq for e in await caller.follow(script.url, "r1")] == [0, 1, 2, 3]


async def test_a_stream_that_keeps_breaking_is_given_up(caller: Caller) -> None:
    """Without a new event there are only so many tries; then the last error is raised."""
    answers = [stream(event(0), cut=True)] + [stream(cut=True)] * _follow.RESUME_TRIES
    with playing(*answers) as script, pytest.raises(ArpConnectionError) as caught:
        await caller.follow(script.url, "r1")
    assert caught.value.code == "connection_lost"
    assert len(script.heads) == 1 + _follow.RESUME_TRIES


async def test_a_stream_that_keeps_ending_is_given_up(caller: Caller) -> None:
    """The same where the service ends each connection in order while the run goes on."""
    answers = [stream(), STATUS_RUNNING] * (1 + _follow.RESUME_TRIES)
    with playing(*answers) as script, pytest.raises(ArpConnectionError, match="before the run's last event"):
        await caller.follow(script.url, "r1")


async def test_every_new_event_gives_new_tries(caller: Caller) -> None:
    """A long run over a bad network is followed to its end."""
    answers = [stream(event(seq), cut=True) for seq in range(2 * _follow.RESUME_TRIES)]
    with playing(*answers, stream(event(len(answers), "final"))) as script:
        events = await caller.follow(script.url, "r1")
    assert [e.seq for e in events] == list(range(len(answers) + 1))


async def test_a_service_that_restarts_is_waited_for(caller: Caller) -> None:
    """503 while the service comes back is no reason to give up."""
    busy = json("503 Service Unavailable", {"error": {"code": "stopping", "message": "Stopping."}})
    with playing(stream(event(0), cut=True), busy, stream(event(1), event(2), FINAL)) as script:
        assert len(await caller.follow(script.url, "r1")) == 4


async def test_a_run_that_is_gone_meanwhile_is_an_error(caller: Caller) -> None:
    """404 on resuming is final."""
    gone = json("404 Not Found", {"error": {"code": "run_not_found", "message": "Gone."}})
    with playing(stream(event(0), cut=True), gone) as script, pytest.raises(ArpApiError) as caught:
        await caller.follow(script.url, "r1")
    assert (caught.value.code, caught.value.status_code) == ("run_not_found", 404)


BUSY = json("503 Service Unavailable", {"error": {"code": "stopping", "message": "Stopping."}})


async def test_a_stream_that_cannot_begin_is_tried_again_like_any_other_call(caller: Caller) -> None:
    """A service that is busy, or breaks off in the head of its answer, is asked as often as `retries` says."""
    with playing(BUSY, Answer(b"HTTP/1.1 200 OK\r\nCont"), stream(event(0, "final"))) as script:
        assert len(await caller.follow(script.url, "r1")) == 1
    with playing(BUSY, BUSY, BUSY) as script, pytest.raises(ArpApiError) as caught:
        await caller.follow(script.url, "r1", retries=2)
    assert (caught.value.code, len(script.heads)) == ("stopping", 3)


async def test_a_stream_that_never_began_fails_at_once_where_nothing_is_tried_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown run, a service that is not there or does not answer, is reported like in any other call."""
    monkeypatch.setattr(_http, "SILENCE_TIMEOUT", 0.05)
    gone = json("404 Not Found", {"error": {"code": "run_not_found", "message": "Gone."}})
    for answer, code in ((gone, "run_not_found"), (Answer(b"", hold=True), "timeout")):
        with playing(answer) as script, pytest.raises(ArpApiError) as caught:
            await caller.follow(script.url, "r1", timeout=httpx.Timeout(5, read=0.05))
        assert caught.value.code == code
    with pytest.raises(ArpConnectionError) as refused:
        await caller.follow(script.url, "r1", retries=0)
    assert refused.value.code == "connection_failed"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(http("200 OK", "text/html", b"<html>")),
        stream("data: {}\n\n"),
        stream("data: nonsense\n\n"),
    ],
)
async def test_what_is_no_stream_of_run_events_is_an_error(caller: Caller, answer: Answer) -> None:
    """A page, or an event that is no RunEvent, is refused and not skipped."""
    with playing(answer) as script, pytest.raises(ArpResponseError) as caught:
        await caller.follow(script.url, "r1")
    assert caught.value.code == "invalid_response"


async def test_a_silent_stream_is_opened_again_without_end(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may be silent for as long as it likes: a stream that stood and says nothing costs no try."""
    monkeypatch.setattr(_http, "SILENCE_TIMEOUT", 0.02)
    silent = [stream(hold=True)] * (2 * _follow.RESUME_TRIES)
    with playing(*silent, stream(event(0), event(1), event(2), FINAL)) as script:
        events = await caller.follow(script.url, "r1", timeout=httpx.Timeout(5, read=0.02))
    assert len(events) == 4
    assert len(script.heads) == len(silent) + 1


async def test_events_arrive_while_the_run_goes_on() -> None:
    """An event is passed on when it comes, not when the stream ends; who stops early closes the connection."""
    with playing(stream(": hello\n\n", event(0), hold=True)) as script, anyio.fail_after(5):
        async with AsyncDaemonClient(script.url) as client, aclosing(client.iter_run_events("r1")) as events:
            assert (await anext(events)).seq == 0
