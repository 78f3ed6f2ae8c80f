"""A stream of an instance's events, over a connection of its own: all that has come is one piece.

httpx gives each chunk that the instance has sent by itself, at 150 us; so each had a transaction of its own, too, with
its sync, and a send to each watcher. Here what comes while one piece is stored is the next one, however much it is.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import h11

from arp_daemon.plain_http import NotConnectedError, build_request, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from arp_daemon.address import Address
    from arp_daemon.plain_http import PlainConnection

# Streams are silent between events; the runtime's heartbeats come every 15 s.
_SILENT_FOR_S = 45.0


class NotReachedError(Exception):
    """Nobody takes the connection, or nothing comes for too long."""


class BrokenStreamError(Exception):
    """It broke off, or is no HTTP."""


class EventConnection:
    """An answer whose head has come. Its pieces are bounded by whoever puts them together."""

    def __init__(self, connection: PlainConnection, head: h11.Response) -> None:
        self._connection = connection
        self.status = head.status_code
        media_type = dict(head.headers).get(b"content-type", b"")
        self.media_type = media_type.decode("latin-1").partition(";")[0].strip()

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
        while not isinstance(event := self._connection.event_at_hand(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                some.append(event.data)
            elif event is not None:
                raise h11.RemoteProtocolError("the stream is none any more")
            elif some:
                return b"".join(some), False
            else:
                async with asyncio.timeout(_SILENT_FOR_S):
                    await self._connection.receive()
        return b"".join(some), True


@asynccontextmanager
async def open_stream(address: Address, path: str, last_id: str | None) -> AsyncIterator[EventConnection]:
    """Ask for a stream of events after `last_id`; the connection is closed with the block.

    Raises:
        NotReachedError: nobody takes the connection, or answers in time.
        BrokenStreamError: what came is no answer.
    """
    with _translated():
        connection = await connect(address)
    try:
        with _translated():
            async with asyncio.timeout(_SILENT_FOR_S):
                await connection.send(_request(address, path, last_id))
                head = await connection.read_head()
        yield EventConnection(connection, head)
    finally:
        connection.close()


def _request(address: Address, path: str, last_id: str | None) -> h11.Request:
    headers = [("Accept", "text/event-stream")]
    if last_id is not None:
        headers.append(("Last-Event-ID", last_id))
    return build_request(address, "GET", path, headers)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (NotConnectedError, TimeoutError) as exc:
        raise NotReachedError(str(exc) or repr(exc)) from exc
    except (OSError, h11.ProtocolError) as exc:
        raise BrokenStreamError(repr(exc)) from exc
