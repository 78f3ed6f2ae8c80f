"""One connection of Hypercorn's, with less work a request and none left when it is over.

Hypercorn 0.18 begins and ends a task a request to notice that a connection is idle (35 us of some 190 us that it takes
for a request), and gives head and body of an answer to the socket one by one (15 us). Here one task a connection looks
at the clock, and what is sent within one turn of the event loop is sent as one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, RawData, Updated

if TYPE_CHECKING:
    from hypercorn.events import Event

# For the rest of an answer that is closed; who does not take it would hold up the end of the process.
_CLOSE_S = 2
# More is not kept until the end of the turn: only what the transport holds makes who sends wait for a slow reader.
_MAX_UNSENT_BYTES = 16 * 1024


class Connection(TCPServer):
    """A connection that is closed when its client has closed it.

    Hypercorn 0.18 waits with that until the connection would have been idle for too long, and holds a descriptor
    meanwhile: a client that makes a connection for each call uses up the process's descriptors.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._is_over = False
        self._idle_since: float | None = self.loop.time()
        """By the loop's clock; None while a request is answered."""
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0

    async def protocol_send(self, event: Event) -> None:
        """Take what the protocol has to say: bytes, whether a request is under way, or that it is over."""
        if isinstance(event, RawData):
            await self._send(event.data)
        elif isinstance(event, Updated):
            self._idle_since = self.loop.time() if event.idle else None
        else:
            await super().protocol_send(event)

    async def _send(self, data: bytes) -> None:
        """Return when there is room for more."""
        if not self._unsent:
            self.loop.call_soon(self._flush)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > _MAX_UNSENT_BYTES:
            self._flush()
        try:
            await self.writer.drain()
        except (ConnectionError, RuntimeError):
            await self.protocol.handle(Closed())

    def _flush(self) -> None:
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        if data:
            with suppress(ConnectionError, RuntimeError):  # `drain` tells of it
                self.writer.write(data)

    async def _read_data(self) -> None:
        await super()._read_data()
        self._is_over = True
        await self.idle_task.stop()

    async def _idle_timeout(self) -> None:
        """Close the connection when it has been idle for too long, or when the server ends."""
        terminated, longest_s = self.context.terminated, self.config.keep_alive_timeout
        while not terminated.is_set():
            since = self.loop.time() if self._idle_since is None else self._idle_since
            left_s = since + longest_s - self.loop.time()
            if left_s <= 0:
                break
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(terminated.wait(), left_s)
        # The protocol closes one that is busy at the end, once it has answered.
        if self._idle_since is not None and not self._is_over:
            await asyncio.shield(self._initiate_server_close())

    async def _close(self) -> None:
        """Hypercorn waits for as long as the client takes to read the rest."""
        self._flush()
        giving_up = self.loop.call_later(_CLOSE_S, self.writer.transport.abort)
        try:
            await super()._close()
        finally:
            giving_up.cancel()
