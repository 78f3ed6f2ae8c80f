"""Calls to an instance over connections that are kept: a POST, and its whole answer, bounded in bytes and in time.

Every run is handed over by such a call. Through a pool of httpx it takes 1 ms of CPU, more than all else that is done
for a run which comes alone; h11 on a socket of its own takes a tenth of that. All other calls are made by httpx.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import anyio
import h11

from arp_daemon.bounded_http import MAX_ANSWER_BYTES
from arp_daemon.transport import open_connection

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from arp_daemon.address import Address

# A runtime answers a hand-over at once; this bounds one that hangs.
_ANSWER_WITHIN_S = 30.0
_CONNECT_WITHIN_S = 5.0
_READ_BYTES = 64 * 1024


class NotSentError(Exception):
    """Nobody takes the connection: nothing was sent."""


class NoAnswerError(Exception):
    """It may have been sent, and what came back is no answer."""


class Answer(NamedTuple):
    """A whole answer, of any status."""

    status: int
    body: bytes


class KeptConnections:
    """To one address; as many as calls are made at once."""

    def __init__(self, address: Address, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._address = address
        self._max_bytes = max_bytes
        base = urlsplit(address.base_url)
        self._base_path = base.path.rstrip("/")
        self._host = base.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []

    async def post(self, path: str, body: bytes) -> Answer:
        """Send JSON, and return what is answered.

        Raises:
            NotSentError: it certainly did not arrive.
            NoAnswerError: nobody knows whether it did.
        """
        connection = self._take() or await self._open()
        can_be_kept = False
        try:
            with anyio.fail_after(_ANSWER_WITHIN_S):
                answer = await connection.exchange(self._head(path, body), body, self._max_bytes)
            can_be_kept = connection.is_ready
        except (OSError, h11.ProtocolError) as exc:  # a TimeoutError is an OSError
            raise NoAnswerError(repr(exc)) from exc
        finally:
            if can_be_kept:
                self._idle.append(connection)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> _Connection | None:
        """One that the instance has not closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_ready:
                return connection
            connection.close()
        return None

    async def _open(self) -> _Connection:
        try:
            with anyio.fail_after(_CONNECT_WITHIN_S):
                return _Connection(*await open_connection(self._address))
        except OSError as exc:
            raise NotSentError(str(exc) or repr(exc)) from exc

    def _head(self, path: str, body: bytes) -> h11.Request:
        headers = [
            ("Host", self._host),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Accept-Encoding", "identity"),
        ]
        return h11.Request(method="POST", target=self._base_path + path, headers=headers)


class _Connection:
    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    @property
    def is_ready(self) -> bool:
        """Whether a request can be sent."""
        return self._http.our_state is h11.IDLE and not (self._reader.at_eof() or self._http.trailing_data[0])

    async def exchange(self, head: h11.Request, body: bytes, max_bytes: int) -> Answer:
        """Send a request, and read the answer to its end."""
        sent = [self._http.send(part) or b"" for part in (head, h11.Data(body), h11.EndOfMessage())]
        self._writer.write(b"".join(sent))
        with suppress(ConnectionError):  # who refuses a body may answer and close before it has read it
            await self._writer.drain()
        status, received = 0, bytearray()
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
                if dict(event.headers).get(b"content-encoding", b"identity") != b"identity":
                    raise h11.RemoteProtocolError("the answer is compressed")  # a few bytes can stand for gigabytes
            elif isinstance(event, h11.Data):
                received += event.data
                if len(received) > max_bytes:
                    raise h11.RemoteProtocolError(f"the answer is over {max_bytes} bytes")
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("there is no answer")
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return Answer(status, bytes(received))

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Event):
                return event
            else:
                raise h11.RemoteProtocolError("the answer is of another protocol")

    def close(self) -> None:
        self._writer.close()
