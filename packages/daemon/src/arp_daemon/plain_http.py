"""HTTP/1.1 to an instance over a connection of its own, by h11: what hand-over and the following of events share."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import h11

from arp_daemon.transport import open_connection

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Iterable

    from arp_daemon.address import Address

_CONNECT_WITHIN_S = 5.0
_READ_BYTES = 256 * 1024


class NotConnectedError(Exception):
    """Nobody takes the connection: nothing was sent."""


class PlainConnection:
    """A connection that carries one request at a time. What is no HTTP raises h11.RemoteProtocolError."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    @property
    def is_ready(self) -> bool:
        """Whether a request can be sent."""
        return self._http.our_state is h11.IDLE and not (self._reader.at_eof() or self._http.trailing_data[0])

    async def send(self, head: h11.Request, body: bytes = b"") -> None:
        """Send a request."""
        parts = (head, h11.Data(body), h11.EndOfMessage()) if body else (head, h11.EndOfMessage())
        self._writer.write(b"".join(self._http.send(part) or b"" for part in parts))
        with suppress(ConnectionError):  # who refuses a body may answer and close before it has read it
            await self._writer.drain()

    async def read_head(self) -> h11.Response:
        """Return the head of the answer."""
        event = await self.next_event()
        while isinstance(event, h11.InformationalResponse):
            event = await self.next_event()
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("there is no answer")
        if dict(event.headers).get(b"content-encoding", b"identity") != b"identity":
            raise h11.RemoteProtocolError("the answer is compressed")  # a few bytes can stand for gigabytes
        return event

    async def next_event(self) -> h11.Event:
        """Return what comes next."""
        while (event := self.event_at_hand()) is None:
            await self.receive()
        return event

    def event_at_hand(self) -> h11.Event | None:
        """Return what comes next, of what has been received; None where that is not all of it."""
        event = self._http.next_event()
        if event is h11.NEED_DATA:
            return None
        if not isinstance(event, h11.Event):
            raise h11.RemoteProtocolError("the answer is of another protocol")
        return event

    async def receive(self) -> None:
        """Wait for bytes, or the end of the connection."""
        self._http.receive_data(await self._reader.read(_READ_BYTES))

    def begin_anew(self) -> None:
        """Make ready for the next request, where this one and its answer are over and the connection may be kept."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()

    def close(self) -> None:
        """Close it, whatever is under way."""
        self._writer.close()


async def connect(address: Address) -> PlainConnection:
    """Connect to the pinned address. Raises NotConnectedError."""
    try:
        with anyio.fail_after(_CONNECT_WITHIN_S):
            return PlainConnection(*await open_connection(address))
    except OSError as exc:  # a TimeoutError is one
        raise NotConnectedError(str(exc) or repr(exc)) from exc


def build_request(address: Address, method: str, path: str, headers: Iterable[tuple[str, str]]) -> h11.Request:
    """Return the head of a request for a path below the address."""
    base = urlsplit(address.base_url)
    always = [("Host", base.netloc.rpartition("@")[2]), ("Accept-Encoding", "identity")]
    return h11.Request(method=method, target=base.path.rstrip("/") + path, headers=[*always, *headers])
