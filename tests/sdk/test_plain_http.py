"""Calls to this machine go by a transport of our own, which does what httpx's does; most other tests go by it too."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arp_sdk import DaemonClient, _plain_http
from arp_sdk._plain_http import PlainTransport
from arp_sdk.errors import ArpApiError
from arp_sdk.models import RunRequest, RunRequestInput
from sdk.scripted import Answer, http, json, playing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
STATUS = {"run_id": "r1", "state": "queued"}
BODY = b'{"run_id":"r1","state":"queued"}'


@contextmanager
def keeping(*contents: bytes, family: socket.AddressFamily = socket.AF_INET) -> Iterator[tuple[str, list[int]]]:
    """A service that answers each request with the next of the bytes; an empty one closes the connection after it.

    Yields the address, and how many requests each of its connections has had.
    """
    counts: list[int] = []
    left = list(contents)
    host = "::1" if family is socket.AF_INET6 else "127.0.0.1"

    def serve(listener: socket.socket) -> None:
        while left:
            connection, _ = listener.accept()
            counts.append(0)
            with connection:
                connection.settimeout(10)
                while left and connection.recv(65536):
                    counts[-1] += 1
                    connection.sendall(left.pop(0))
                    if left and not left[0]:
                        left.pop(0)
                        break

    with socket.create_server((host, 0), family=family) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}", counts
        thread.join(10)


def answer(body: bytes = BODY, head: bytes = b"") -> bytes:
    """An answer after which the connection stays."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n" % (head, len(body)) + body
    )


def test_a_connection_is_used_again() -> None:
    """Calls one after the other share one connection."""
    with keeping(answer(), answer(), answer()) as (url, counts), DaemonClient(url) as client:
        for _ in range(3):
            assert client.get_run_status("r1").run_id == "r1"
    assert counts == [3]


def test_a_connection_that_the_service_closed_is_left() -> None:
    """What a service closes while nobody waits costs no call, not even one that is never made again."""
    with keeping(answer(), b"", answer()) as (url, counts), DaemonClient(url, retries=0) as client:
        client.get_run_status("r1")
        client.get_run_status("r1")
    assert counts == [1, 1]


def test_a_connection_that_was_idle_for_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service may be about to close it."""
    monkeypatch.setattr(_plain_http, "IDLE_TIME", 0.0)
    with keeping(answer(), b"", answer()) as (url, counts), DaemonClient(url, retries=0) as client:
        client.get_run_status("r1")
        client.get_run_status("r1")
    assert counts == [1, 1]


def test_an_answer_that_nobody_asked_for_is_no_later_calls() -> None:
    """A connection that says more than it was asked is left."""
    other = answer(b'{"run_id":"r2","state":"failed"}')
    with keeping(answer() + other, answer()) as (url, counts), DaemonClient(url, retries=0) as client:
        client.get_run_status("r1")
        assert client.get_run_status("r1").run_id == "r1"
    assert counts == [1, 1]


def test_who_refuses_a_body_before_it_is_sent_is_heard() -> None:
    """The answer of a service that closes at once counts, and not that the rest of the body could not be sent."""
    refusal = http("413 Content Too Large", "application/json", b'{"error":{"code":"body_too_large","message":"No."}}')

    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(refusal)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse, args=(listener,))
        thread.start()
        with (
            DaemonClient(f"http://127.0.0.1:{listener.getsockname()[1]}", retries=0) as client,
            pytest.raises(ArpApiError) as caught,
        ):
            client.submit_run(RunRequest(RunRequestInput("x" * 20_000_000)))
        thread.join(10)
    assert (caught.value.status_code, caught.value.code) == (413, "body_too_large")


@pytest.mark.parametrize(("rest", "kept"), [(b"0\r\n\r\n", True), (b"", False), (b"3\r\n:x\n\r\n0\r\n\r\n", False)])
def test_a_stream_that_was_left_at_its_end_leaves_its_connection(rest: bytes, kept: bool) -> None:
    """Where its end has come with its last event; one that has more to say, or may have, is closed."""
    event = b'data: {"run_id":"r1","seq":0,"type":"final","time":"2025-06-01T12:00:00Z"}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    streamed = head + b"%x\r\n%s\r\n" % (len(event), event) + rest
    between = () if kept else (b"",)
    with keeping(streamed, *between, answer()) as (url, counts), DaemonClient(url, retries=0) as client:
        assert [event.seq for event in client.iter_run_events("r1")] == [0]
        client.get_run_status("r1")
    assert counts == ([2] if kept else [1, 1])


@pytest.mark.parametrize("head", [b"Connection: close\r\n", b"Connection: Close\r\nX: y\r\n"])
def test_a_connection_that_is_announced_to_end_is_not_kept(head: bytes) -> None:
    """`Connection: close` is believed."""
    with keeping(answer(head=head), b"", answer()) as (url, counts), DaemonClient(url, retries=0) as client:
        client.get_run_status("r1")
        client.get_run_status("r1")
    assert counts == [1, 1]


def test_an_interim_answer_is_passed_over() -> None:
    """Such as early hints, or `100 Continue` that nobody asked for."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    with keeping(interim + answer()) as (url, _), DaemonClient(url) as client:
        assert client.get_run_status("r1").run_id == "r1"


def test_addresses_of_both_kinds_are_called() -> None:
    """IPv6 as well."""
    with keeping(answer(), family=socket.AF_INET6) as (url, counts), DaemonClient(url) as client:
        client.get_run_status("r1")
    assert counts == [1]


def test_large_bodies_go_both_ways(service: Service) -> None:
    """Megabytes are sent and read whole."""
    goal = "x" * 3_000_000
    service.answer("POST", "/v1/runs", {**STATUS, "extensions": {"x.y": goal}}, status=202)
    with DaemonClient(service.url) as client:
        status = client.submit_run(RunRequest(RunRequestInput(goal)))
    assert status.extensions == {"x.y": goal}
    assert len(service.seen[0].body) > len(goal)


def test_many_threads_share_a_client(service: Service) -> None:
    """Each call has a connection of its own while it lasts, and gets its own answer."""
    for number in range(20):
        service.answer("GET", f"/v1/runs/r{number}", {"run_id": f"r{number}", "state": "queued"})
    with DaemonClient(service.url) as client, ThreadPoolExecutor(8) as threads:
        names = [f"r{number % 20}" for number in range(200)]
        assert [status.run_id for status in threads.map(client.get_run_status, names)] == names


def test_a_head_without_end_does_not_fill_the_memory() -> None:
    """It has a bound, beyond which the answer is no HTTP."""
    endless = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000
    with (
        playing(Answer(endless)) as script,
        DaemonClient(script.url, retries=0) as client,
        pytest.raises(ArpApiError) as caught,
    ):
        client.health()
    assert caught.value.code == "connection_lost"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_whatever_comes_back_is_an_answer_or_an_error_of_ours(data: st.DataObject) -> None:
    """An answer that is cut, or whose bytes are changed, raises nothing foreign."""
    whole = bytearray(http("200 OK", "application/json", BODY))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with (
        playing(Answer(content)) as script,
        DaemonClient(script.url, retries=0, timeout=5) as client,
        suppress(ArpApiError),
    ):
        assert isinstance(client.get_run_status("r1").run_id, str)


def test_other_addresses_are_called_by_httpx_itself(service: Service) -> None:
    """The transport is for one address; the httpx client underneath can call any."""
    with playing(json("200 OK", HEALTH)) as script, DaemonClient(service.url) as client:
        assert client.raw_client.get(f"{script.url}/v1/health").json() == HEALTH
    assert service.seen == []


@pytest.mark.parametrize(
    ("base_url", "options", "ours"),
    [
        ("http://127.0.0.1:8082/a", {}, True),
        ("http://localhost", {}, True),
        ("https://127.0.0.1:8082", {}, False),
        ("http://arp.example", {}, False),
        ("http://127.0.0.1:8082", {"transport": httpx.HTTPTransport()}, False),
        ("http://127.0.0.1:8082", {"mounts": {}}, False),
    ],
)
def test_the_transport_is_used_where_plain_http_stays_here(base_url: str, options: object, ours: bool) -> None:
    """And where nobody has named another."""
    with DaemonClient(base_url, httpx_args=options) as client:  # type: ignore[arg-type]  # dicts of any value
        transports = client.raw_client._mounts.values()
        assert any(isinstance(transport, PlainTransport) for transport in transports) is ours
