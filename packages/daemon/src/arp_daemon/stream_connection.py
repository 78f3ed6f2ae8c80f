"""A stream of an instance's events, over a connection of its own: all that has come is one piece.

httpx gives each chunk that the instance has sent by itself, at 150 us; so each had a transaction of its own, too, with
its sync, and a send to each watcher. Here what comes while one piece is stored is the next one, however much it is.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11

from arp_daemon.transport import open_connection

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator, Iterator

    from arp_daemon.address import Address

_CONNECT_WITHIN_S = 5.0
# Streams are silent between events; the runtime's heartbeats come every 15 s.
_SILENT_FOR_S = 45.0
_READ_BYTES = 256 * 1024


class NotReachedError(Exception):
    """Nobody takes the connection, or nothing comes for too long."""


class BrokenStreamError(Exception):
    """It broke off, or is no HTTP."""


class EventConnection:
    """An answer whose head has come. Its pieces are bounded by whoever puts them together."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self.status = 0
        self.media_type = ""

    async def ask(self, request: h11.Request) -> None:
        """Send a request without a body, and read the head of the answer."""
        self._writer.write((self._http.send(request) or b"") + (self._http.send(h11.EndOfMessage()) or b""))
        event = await self._next_event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._next_event()
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("there is no answer")
        headers = dict(event.headers)
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise h11.RemoteProtocolError("the answer is compressed")  # a few bytes can stand for gigabytes
        self.status = event.status_code
        self.media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what comes, to its end: each time all that is there.

        Raises:
            NotReachedError: nothing comes, not even a sign of life.
            BrokenStreamError: it broke off.
        """
        ended = False
        while not ended:
            with _translated():
                piece, ended = await self._next_piece()
            if piece:
                yield piece

    async def _next_piece(self) -> tuple[bytes, bool]:
        """All that has come, some at least, and whether it is the end."""
        some: list[bytes] = []
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                some.append(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return b"".join(some), True
            elif event is not h11.NEED_DATA:
                raise h11.RemoteProtocolError("the answer is of another protocol")
            elif some:
                return b"".join(some), False
            else:
                await self._receive()

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive()
        return event

    async def _receive(self) -> None:
        async with asyncio.timeout(_SILENT_FOR_S):
            self._http.receive_data(await self._reader.read(_READ_BYTES))


@asynccontextmanager
async def open_stream(address: Address, path: str, last_id: str | None) -> AsyncIterator[EventConnection]:
    """Ask for a stream of events after `last_id`; the connection is closed with the block.

    Raises:
        NotReachedError: nobody takes the connection, or answers in time.
        BrokenStreamError: what came is no answer.
    """
    try:
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            reader, writer = await open_connection(address)
    except OSError as exc:  # a TimeoutError is one
        raise NotReachedError(repr(exc)) from exc
    try:
        stream = EventConnection(reader, writer)
        with _translated():
            await stream.ask(_request(address, path, last_id))
        yield stream
    finally:
        writer.close()


def _request(address: Address, path: str, last_id: str | None) -> h11.Request:
    base = urlsplit(address.base_url)
    headers = [
        ("Host", base.netloc.rpartition("@")[2]),
        ("Accept", "text/event-stream"),
        ("Accept-Encoding", "identity"),
    ]
    if last_id is not None:
        headers.append(("Last-Event-ID", last_id))
    return h11.Request(method="GET", target=base.path.rstrip("/") + path, headers=headers)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise NotReachedError(repr(exc)) from exc
    except (OSError, h11.ProtocolError) as exc:
        raise BrokenStreamError(repr(exc)) from exc
