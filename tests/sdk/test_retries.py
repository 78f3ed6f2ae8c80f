"""Calls are tried again where that is safe, and only there; each case over real sockets, for both kinds of client."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_sdk import AsyncDaemonClient, DaemonClient, _retries, daemon, models, tool_registry
from arp_sdk._retries import DEFAULT_RETRIES, LONGEST_WAIT, RETRY_WINDOW, Tries, parse_retry_after
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpTimeoutError
from sdk.scripted import Answer, http, json, playing

if TYPE_CHECKING:
    from sdk.conftest import Caller
    from sdk.scripted import Script

STATUS = {"run_id": "r1", "state": "queued"}
INSTANCES: dict[str, Any] = {"instances": []}
BUSY = {"error": {"code": "queue_full", "message": "m", "retryable": True}}
LOST = Answer(b"", reset=True)
RUN = models.RunRequest(models.RunRequestInput("x"))
CREATE = models.InstanceCreateRequest("default")
REGISTER = models.InstanceRegisterRequest("http://127.0.0.1:1")
INVOKE = tool_registry.InvokeToolRequest("c1", {}, tool_id="t")
UPSERT = daemon.UpsertRuntimeProfileRequest("p", models.RuntimeProfileUpsertRequest())
CALLED = {"invocation_id": "c1", "ok": True}

# Client, method, argument, answer: those that may be made again though an earlier one may have been carried out.
REPEATABLE: list[tuple[str, str, Any, Any]] = [
    ("Daemon", "get_run_status", "r1", STATUS),
    ("Daemon", "upsert_runtime_profile", UPSERT, {"runtime_profile": "p"}),
    ("Daemon", "submit_run", RUN, STATUS),
    ("Daemon", "submit_runs", models.RunBatchRequest([RUN]), {"results": [{"status": STATUS}]}),
    ("Daemon", "cancel_run", "r1", STATUS),
    ("Runtime", "create_run", RUN, STATUS),
]
NOT_REPEATABLE: list[tuple[str, str, Any, Any]] = [
    ("Daemon", "create_instances", CREATE, INSTANCES),
    ("Daemon", "register_instance", REGISTER, {"instance": {}}),
    ("Daemon", "restart_runtime_profile", "p", {"runtime_profile": "p"}),
    ("Daemon", "cancel_runs", models.RunCancelRequest(all=True), {}),
    ("ToolRegistry", "invoke_tool", INVOKE, CALLED),
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to wait for long."""
    monkeypatch.setattr(_retries, "FIRST_WAIT", 0.001)


def busy(status: str, **headers: str) -> Answer:
    """An answer of a service that is too busy."""
    content = http(status, "application/json", msgspec.json.encode(BUSY))
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return Answer(content.replace(b"Connection:", lines.encode() + b"Connection:"))


async def called(caller: Caller, script: Script, case: tuple[str, str, Any, Any], retries: int = 2) -> Any:
    """Make the call of a case."""
    client, method, argument, _ = case
    return await caller.call(client, script.url, method, argument, options={"retries": retries})


@pytest.mark.parametrize("case", REPEATABLE, ids=lambda case: case[1])
async def test_a_lost_call_is_made_again_where_that_changes_nothing(caller: Caller, case: Any) -> None:
    """A connection that broke says nothing of the call; one that is the same when made twice is made again."""
    with playing(LOST, LOST, json("200 OK", case[3])) as script:
        assert msgspec.to_builtins(await called(caller, script, case)) == case[3]
    assert len(script.heads) == 3


@pytest.mark.parametrize("case", NOT_REPEATABLE, ids=lambda case: case[1])
async def test_a_lost_call_is_not_made_again_where_it_would_do_its_work_twice(caller: Caller, case: Any) -> None:
    """Two instances instead of one, or a tool called twice: the caller is told, and decides."""
    with playing(LOST, json("200 OK", case[3])) as script:
        with pytest.raises(ArpConnectionError) as caught:
            await called(caller, script, case)
        assert caught.value.code == "connection_lost"
    assert len(script.heads) == 1


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("case", [REPEATABLE[0], REPEATABLE[2], NOT_REPEATABLE[0]], ids=lambda case: case[1])
async def test_a_busy_service_is_asked_again(caller: Caller, case: Any, status: str) -> None:
    """It did nothing, so any call may be made again."""
    with playing(busy(status), busy(status), json("200 OK", case[3])) as script:
        await called(caller, script, case)
    assert len(script.heads) == 3


async def test_what_no_retry_helps_is_not_tried_again(caller: Caller) -> None:
    """Neither another status, nor a busy service that says that it makes no sense."""
    final = {"error": {"code": "gone", "message": "m", "retryable": False}}
    for answer in (json("500 Internal Server Error", BUSY), json("503 Service Unavailable", final)):
        with playing(answer, json("200 OK", STATUS)) as script, pytest.raises(ArpApiError):
            await called(caller, script, REPEATABLE[0])
        assert len(script.heads) == 1


async def test_an_answer_that_takes_too_long_is_not_asked_for_again(caller: Caller) -> None:
    """More work does not help who is slow."""
    with playing(Answer(b"", hold=True), json("200 OK", STATUS)) as script, pytest.raises(ArpTimeoutError):
        await caller.call("Daemon", script.url, "get_run_status", "r1", options={"retries": 2, "timeout": 0.05})
    assert len(script.heads) == 1


async def test_a_service_that_is_not_there_is_tried_as_often_as_told(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, so any call is made again, and then fails with what was wrong."""
    waits: list[float] = []
    monkeypatch.setattr(Tries, "wait_after", _recording(Tries.wait_after, waits))
    with playing(json("200 OK", STATUS)) as script:
        await called(caller, script, REPEATABLE[0])
    with pytest.raises(ArpConnectionError) as caught:
        await called(caller, script, NOT_REPEATABLE[0])
    assert (caught.value.code, len(waits)) == ("connection_failed", 2)


def _recording(wait_after: Any, waits: list[float]) -> Any:
    def recording(self: Tries, error: ArpApiError, elapsed: float, chance: float) -> float:
        waits.append(wait_after(self, error, elapsed, chance))
        return waits[-1]

    return recording


async def test_zero_turns_it_off(caller: Caller) -> None:
    """`retries=0` makes every call once."""
    with playing(busy("503 Service Unavailable"), json("200 OK", STATUS)) as script:
        with pytest.raises(ArpApiError) as caught:
            await called(caller, script, REPEATABLE[0], retries=0)
        assert caught.value.status_code == 503
    assert len(script.heads) == 1


async def test_calls_are_tried_again_unless_told_otherwise() -> None:
    """Who says nothing gets the default, with both kinds of client."""
    answers = [busy("503 Service Unavailable")] * DEFAULT_RETRIES
    with playing(*answers, json("200 OK", STATUS)) as script, DaemonClient(script.url) as client:
        assert client.get_run_status("r1").run_id == "r1"
    with playing(*answers, json("200 OK", STATUS)) as script:
        async with AsyncDaemonClient(script.url) as awaited:
            assert (await awaited.get_run_status("r1")).run_id == "r1"


async def test_a_run_has_the_same_id_at_each_try(caller: Caller) -> None:
    """The id is made before the first try, so it stays one run; each submission makes another one."""
    with playing(LOST, LOST, json("200 OK", STATUS), json("200 OK", STATUS)) as script:
        await called(caller, script, REPEATABLE[2])
        await called(caller, script, REPEATABLE[2])
    ids = [msgspec.json.decode(body)["run_id"] for body in script.bodies]
    assert len(ids) == 4
    assert len(set(ids[:3])) == 1
    assert ids[3] > ids[0]
    assert ids[0].startswith("run_")
    assert RUN.run_id is models.UNSET


async def test_every_run_of_a_batch_has_an_id(caller: Caller) -> None:
    """Those that have one keep it."""
    batch = models.RunBatchRequest([RUN, models.RunRequest(models.RunRequestInput("y"), run_id="mine"), RUN])
    with playing(json("200 OK", {"results": []})) as script:
        await caller.call("Daemon", script.url, "submit_runs", batch)
    [first, second, third] = [run["run_id"] for run in msgspec.json.decode(script.bodies[0])["runs"]]
    assert second == "mine"
    assert first != third


async def test_a_run_with_a_key_gets_no_id(caller: Caller) -> None:
    """Its key makes it one run, also when it is submitted by another call; an id of its own would make it another."""
    with playing(LOST, json("200 OK", STATUS)) as script:
        await caller.call("Daemon", script.url, "submit_run", RUN, idempotency_key="k", options={"retries": 1})
    assert [msgspec.json.decode(body) for body in script.bodies] == [{"input": {"goal": "x"}}] * 2


async def test_what_a_lost_try_deleted_is_deleted(caller: Caller) -> None:
    """The repetition finds nothing, which is what was wanted; where nothing was lost, it is an error."""
    gone = json("404 Not Found", {"error": {"code": "instance_not_found", "message": "m"}})
    with playing(LOST, gone) as script:
        assert await caller.call("Daemon", script.url, "delete_instance", "i1", options={"retries": 1}) is None
    with playing(busy("503 Service Unavailable"), gone) as script, pytest.raises(ArpApiError) as caught:
        await caller.call("Daemon", script.url, "delete_instance", "i1", options={"retries": 1})
    assert caught.value.code == "instance_not_found"


async def test_a_lost_try_is_told_though_the_last_one_was_not_sent(caller: Caller) -> None:
    """That nobody was there in the end does not say that nothing was done before."""
    with playing(LOST) as script, pytest.raises(ArpConnectionError) as caught:
        await called(caller, script, REPEATABLE[2])
    assert caught.value.code == "connection_lost"


async def test_retry_after_is_on_the_error_and_waited_for(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait that the service asks for, in seconds or as a date, is kept to; more than can be waited for is told."""
    waits: list[float] = []
    monkeypatch.setattr(Tries, "wait_after", _recording(Tries.wait_after, waits))
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    answers = [busy("429 Too Many Requests", Retry_After="0"), busy("503 Service Unavailable", Retry_After=past)]
    with playing(*answers, json("200 OK", STATUS)) as script:
        await called(caller, script, REPEATABLE[0])
    assert len(waits) == 2
    with playing(busy("429 Too Many Requests", Retry_After="3600")) as script, pytest.raises(ArpApiError) as caught:
        await called(caller, script, REPEATABLE[0])
    assert (caught.value.code, caught.value.retry_after) == ("queue_full", 3600.0)


NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\u0663", None),  # a digit, but none of HTTP's
        ("0", 0.0),
        (" 7 ", 7.0),
        ("Sat, 31 Jan 2026 12:00:05 GMT", 5.0),
        ("Saturday, 31-Jan-26 12:00:05 GMT", 5.0),
        ("Sat Jan 31 12:00:05 2026", 5.0),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0.0),
        ("Sat, 99 Jan 2026 11:00:00 GMT", None),
        ("Sat, 31 Jan 2026 11:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(value: str | None, seconds: float | None) -> None:
    """Seconds, and the three forms of a date (RFC 9110, 5.6.7); anything else says nothing."""
    assert parse_retry_after(value, NOON) == seconds


def test_a_date_is_compared_with_the_clock() -> None:
    """Without another time, it is now."""
    later = datetime.now(timezone.utc) + timedelta(seconds=100)
    assert 90 < (parse_retry_after(later.strftime("%a, %d %b %Y %H:%M:%S GMT")) or 0) <= 100


@given(st.integers(0, 20), st.floats(0, 1), st.floats(0, 60), st.none() | st.floats(0, 100))
def test_waits_grow_and_stay_within_their_bounds(
    limit: int, chance: float, elapsed: float, retry_after: float | None
) -> None:
    """Never more tries than told, never past the window, never shorter than asked for."""
    tries = Tries(limit, "GET", repeatable=True, total=1000)
    error = ArpApiError("queue_full", "m", status_code=429, retry_after=retry_after)
    waits: list[float] = []
    with suppress(ArpApiError):
        while True:
            waits.append(tries.wait_after(error, elapsed + sum(waits), chance))
    assert len(waits) <= limit
    assert elapsed + sum(waits) <= RETRY_WINDOW or not waits
    assert all(wait >= (retry_after or 0) for wait in waits)
    assert all(wait <= max(LONGEST_WAIT, retry_after or 0) for wait in waits)
    assert waits == sorted(waits)


def test_no_try_begins_after_the_total_is_over() -> None:
    """A client with less time than the window keeps to its own."""
    error = ArpApiError("queue_full", "m", status_code=429, retry_after=2.0)
    assert Tries(1, "GET", repeatable=True, total=3).wait_after(error, 0.5, 0) == 2.0
    with pytest.raises(ArpApiError):
        Tries(1, "GET", repeatable=True, total=3).wait_after(error, 1.5, 0)
