"""How a log reaches its readers, whatever form they ask for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from arp_service import streaming
from arp_service.changed import Changed
from arp_service.errors import InvalidRequestError, UnavailableError
from arp_service.event_stream import EventStream, Frames, read_after, wants_json_lines
from arp_service.sse import frame, json_lines
from arp_service.stopping import Stop
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import Callable

_JSON_LINES = {"Accept": "application/x-ndjson"}


class _Log:
    """Numbers, as they are added."""

    def __init__(self, count: int = 0, *, ended: bool = False) -> None:
        self.count = count
        self.ended = ended
        self._changed = Changed()

    def add(self, *, last: bool = False) -> None:
        self.count += 1
        self.ended = last
        self._changed.notify()

    async def read(self, position: int) -> Frames:
        body = b"".join(frame(str(n), "number", b'{"n":%d}' % n) for n in range(position, self.count))
        return Frames(body, max(position, self.count), self.ended)

    async def wait(self, position: int) -> bool:
        is_there = position < self.count
        if not is_there:
            await self._changed.wait()
        return not is_there


def _app(log: _Log, stop: Stop, on_left: Callable[[], None] | None = None) -> Starlette:
    async def events(request: Request) -> EventStream:
        position, as_json_lines = read_after(request) + 1, wants_json_lines(request)
        return EventStream(log, position, stop, as_json_lines=as_json_lines, on_left=on_left)

    return Starlette(routes=[Route("/events", events)])


def test_the_data_of_each_frame_is_a_line() -> None:
    """Whatever the data holds, and however many frames there are."""
    data = [b'{"text":"data: 1"}', '{"text":"\u2028 ü"}'.encode(), b"{}"]
    frames = b"".join(frame(str(n), "data", item) for n, item in enumerate(data))
    assert json_lines(frames).split(b"\n") == [*data, b""]
    assert json_lines(b"") == b""


async def test_a_reader_gets_the_form_that_it_asks_for() -> None:
    """Lines of JSON where `Accept` wants them, server-sent events else; caches are told that it matters."""
    stop = Stop()
    async with served(_app(_Log(3, ended=True), stop), stop) as client:
        lines = await client.get("/events", headers={**_JSON_LINES, "Last-Event-ID": "0"})
        events = await client.get("/events?after=0")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert lines.text == '{"n":1}\n{"n":2}\n'
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text == 'id: 1\nevent: number\ndata: {"n":1}\n\nid: 2\nevent: number\ndata: {"n":2}\n\n'
    assert lines.headers["vary"] == events.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("query", "seen"),
    [("after=-2", ""), ("after=x", "0"), ("after=99999999999999999", "0"), ("after=", "0"), ("after=0", "-2")],
)
def test_a_place_to_begin_that_is_none_is_refused(query: str, seen: str) -> None:
    """In the query also where the header counts."""
    scope = {"type": "http", "query_string": query.encode(), "headers": [(b"last-event-id", seen.encode())]}
    with pytest.raises(InvalidRequestError, match="after"):
        read_after(Request(scope))


async def test_a_silent_stream_of_lines_has_empty_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep the connection, and whoever reads JSON from lines passes over them."""
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.01)
    log, stop = _Log(1), Stop()
    seen: list[str] = []
    async with served(_app(log, stop), stop) as client, client.stream("GET", "/events", headers=_JSON_LINES) as stream:
        with anyio.fail_after(10):
            async for line in stream.aiter_lines():
                seen.append(line)
                if seen.count("") == 2:
                    log.add(last=True)
    assert [json.loads(line) for line in seen if line] == [{"n": 0}, {"n": 1}]


async def test_a_silent_event_stream_has_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event that nobody told: a reader of events passes over them."""
    monkeypatch.setattr(streaming, "HEARTBEAT_S", 0.01)
    log, stop = _Log(), Stop()
    async with served(_app(log, stop), stop) as client, client.stream("GET", "/events") as stream:
        with anyio.fail_after(10):
            async for line in stream.aiter_lines():
                assert not line or line.startswith(":")
                if line:
                    return


async def test_a_reader_that_leaves_before_the_end_is_noticed() -> None:
    """Once; not one that saw the end, and not one that asked for the headers alone."""
    log, stop, left = _Log(1), Stop(), anyio.Event()
    async with served(_app(log, stop, left.set), stop) as client:
        assert (await client.head("/events")).status_code == 200
        assert not left.is_set()
        async with client.stream("GET", "/events") as stream:
            chunks = stream.aiter_raw()
            assert await anext(chunks)
        with anyio.fail_after(10):
            await left.wait()
    log, stop, left = _Log(1, ended=True), Stop(), anyio.Event()
    async with served(_app(log, stop, left.set), stop) as client:
        await client.get("/events")
    assert not left.is_set()


async def test_a_stop_is_not_taken_for_readers_that_leave() -> None:
    """Their streams end with the process, not by their will."""
    log, stop, left = _Log(1), Stop(), anyio.Event()
    async with served(_app(log, stop, left.set), stop) as client, client.stream("GET", "/events") as stream:
        chunks = stream.aiter_raw()
        await anext(chunks)
        stop.requested.set()
        log.add()
        with anyio.fail_after(10):
            assert [chunk async for chunk in chunks]
    assert not left.is_set()


class _BrokenLog(_Log):
    """One that cannot be read beyond its first entry."""

    async def read(self, position: int) -> Frames:
        if position > 0:
            raise UnavailableError("the disk is gone")
        return await super().read(position)

    async def wait(self, position: int) -> bool:
        """There is more, in vain."""
        return False


async def test_a_log_that_breaks_is_not_taken_for_a_reader_that_leaves() -> None:
    """The stream breaks off, and nobody has gone."""
    stop, left = Stop(), anyio.Event()
    async with served(_app(_BrokenLog(1), stop, left.set), stop) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/events")
    assert not left.is_set()


async def test_a_reader_that_takes_nothing_is_dropped_and_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not take in time ends its stream."""
    monkeypatch.setattr(streaming, "_SEND_TIMEOUT_S", 0.05)
    log, stop, left = _Log(500_000), Stop(), anyio.Event()
    async with served(_app(log, stop, left.set), stop) as client, client.stream("GET", "/events"):
        with anyio.fail_after(10):
            await left.wait()
