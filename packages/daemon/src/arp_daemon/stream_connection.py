"""A stream of an instance's events, over a connection of its own: all that has come is one piece.

httpx gives each chunk that the instance has sent by itself, at 150 us; so each had a transaction of its own, too, with
its sync, and a send to each watcher. Here what comes while one piece is stored is the next one, however much it is.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from arp_daemon.answer_parser import BrokenAnswerError
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

    def __init__(self, connection: PlainConnection, status: int, headers: dict[bytes, bytes]) -> None:
        self._connection = connection
        self.status = status
        media_type = headers.get(b"content-type", b"")
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
        while True:
            piece, is_over = self._connection.take(), self._connection.is_over
            if piece or is_over:
                return piece, is_over
            async with asyncio.timeout(_SILENT_FOR_S):
                await self._connection.receive()


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
                status, headers = await connection.read_head()
        yield EventConnection(connection, status, headers)
    finally:
        connection.close()


def _request(address: Address, path: str, last_id: str | None) -> bytes:
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
    except (OSError, BrokenAnswerError) as exc:
        raise BrokenStreamError(repr(exc)) from exc
