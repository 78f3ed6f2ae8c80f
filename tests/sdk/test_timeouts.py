"""Connecting, each wait for an answer, and a call as a whole are bounded apart."""

from __future__ import annotations

import math
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from arp_sdk import DaemonClient
from arp_sdk._http import DEFAULT_TIMEOUT, DEFAULT_TOTAL_TIMEOUT, bounded_timeout, stream_timeout, total_limit
from arp_sdk.errors import ArpTimeoutError
from sdk.scripted import Answer, http, playing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdk.conftest import Caller

HEAD = http("200 OK", "application/json", b"", length=1_000_000)


@contextmanager
def dripping() -> Iterator[str]:
    """A service whose answer never ends: a space now and then, as long as somebody reads it."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(HEAD)
            while not over.wait(0.01):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join(10)


async def timed_out(caller: Caller, url: str, **options: Any) -> ArpTimeoutError:
    """The error of a call that takes too long."""
    with pytest.raises(ArpTimeoutError) as caught:
        await caller.call("Daemon", url, "health", options=options)
    return caught.value


async def test_an_answer_that_drips_ends_with_the_total(caller: Caller) -> None:
    """Each piece comes in time, the whole never does: the total timeout ends it."""
    with dripping() as url:
        error = await timed_out(caller, url, timeout=5, total_timeout=0.2)
    assert error.code == "timeout"
    assert error.message == "The call took longer than 0.2 seconds in total."


async def test_a_silent_service_is_left_when_the_total_is_over(caller: Caller) -> None:
    """Also where one wait alone may be longer."""
    with playing(Answer(b"", hold=True)) as script:
        assert (await timed_out(caller, script.url, timeout=60, total_timeout=0.1)).code == "timeout"


async def test_a_silent_service_is_left_when_the_wait_is_over(caller: Caller) -> None:
    """The wait for one piece of an answer has a bound of its own."""
    with playing(Answer(b"", hold=True)) as script:
        error = await timed_out(caller, script.url, timeout=httpx.Timeout(60, read=0.05))
    assert "did not answer in time" in error.message


def test_a_total_that_is_over_sends_nothing() -> None:
    """A call that has no time is not begun."""
    with playing() as script, DaemonClient(script.url, total_timeout=0) as client, pytest.raises(ArpTimeoutError):
        client.health()
    assert script.heads == []


@pytest.mark.parametrize(
    ("total_timeout", "timeout", "limit"),
    [
        (None, DEFAULT_TIMEOUT, DEFAULT_TOTAL_TIMEOUT),
        (None, httpx.Timeout(DEFAULT_TOTAL_TIMEOUT), DEFAULT_TOTAL_TIMEOUT),
        (None, httpx.Timeout(DEFAULT_TOTAL_TIMEOUT + 1), math.inf),
        (None, httpx.Timeout(None), math.inf),
        (7.0, httpx.Timeout(None), 7.0),
        (math.inf, DEFAULT_TIMEOUT, math.inf),
    ],
)
def test_the_total_follows_what_is_said(total_timeout: float | None, timeout: httpx.Timeout, limit: float) -> None:
    """It has a default, which does not cut short who allows one answer more."""
    assert total_limit(total_timeout, timeout) == limit


def test_streams_may_be_silent_for_longer_than_calls() -> None:
    """For a minute at least, or as long as the client allows; connecting takes no longer than ever."""
    assert stream_timeout(DEFAULT_TIMEOUT) == httpx.Timeout(30, connect=5, read=60)
    assert stream_timeout(httpx.Timeout(90)) == httpx.Timeout(90)
    assert stream_timeout(httpx.Timeout(None)) == httpx.Timeout(None)
    assert stream_timeout(DEFAULT_TIMEOUT, silent=True) == httpx.Timeout(30, connect=5, read=None)


def test_no_part_of_a_try_is_longer_than_what_is_left() -> None:
    """Connecting late leaves less for the rest."""
    bounded = bounded_timeout(httpx.Timeout(30, connect=5, pool=None), 7)
    assert bounded == httpx.Timeout(connect=5, read=7, write=7, pool=7)
    assert bounded_timeout(httpx.Timeout(None), math.inf) == httpx.Timeout(None)
