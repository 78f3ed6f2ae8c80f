"""One connection of Hypercorn's: its requests, one after the other.

Hypercorn binds, accepts, tells of the end and waits for it; what is on the line is read and written here, in one task a
connection, which calls the application itself. Hypercorn 0.18 has a task and a queue for each request beside, another
task to notice idleness, and h11 to read with: a small request to a bare app takes 200 us of CPU there, and 60 here.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from hypercorn.utils import parse_socket_addr

from arp_service.exchange import Exchange, refusal
from arp_service.request_parser import RequestParser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from hypercorn.asyncio.worker_context import WorkerContext
    from hypercorn.config import Config

    from arp_service.exchange import Address
    from arp_service.request_parser import IncomingRequest

_READ_BYTES = 64 * 1024
_INTERNAL_ERROR = 500
# For the client to take the rest of the last answer; in a process that ends, who does not take it would hold that up.
_CLOSE_S, _HURRIED_CLOSE_S = 30, 2


class Connection:
    """A connection, open until its client closes it, has been idle for too long, or the server ends."""

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        loop: asyncio.AbstractEventLoop,
        config: Config,
        context: WorkerContext,
        _state: object,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Called by Hypercorn, in the place of its `TCPServer`."""
        self._app = app
        self._loop = loop
        self._config = config
        self._terminated = context.terminated
        self._reader = reader
        self._writer = writer
        self._parser = RequestParser()
        self._ahead = b""
        """What came while a request was answered."""
        self._idle_since: float | None = loop.time()
        """By the loop's clock; None while a request is answered."""

    def __await__(self) -> Generator[object, None, None]:
        return self._run().__await__()

    async def _run(self) -> None:
        sock = self._writer.get_extra_info("socket")
        try:
            client = parse_socket_addr(sock.family, sock.getpeername())
            server = parse_socket_addr(sock.family, sock.getsockname())
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._watch(asyncio.current_task()))
                try:
                    await self._answer_all(client, server)
                finally:
                    await self._close()
                watch.cancel()
        except OSError:
            await self._close()  # closed by its client before it was looked at
        except asyncio.CancelledError:
            pass  # busy for too long when the server ends: asyncio would log it as a bug

    async def _answer_all(self, client: Address, server: Address) -> None:
        while (request := await self._next_request()) is not None:
            self._idle_since = None
            if not await self._answer(request, client, server) or self._terminated.is_set():
                break
            self._idle_since = self._loop.time()

    async def _next_request(self) -> IncomingRequest | None:
        """Return None when there is no other."""
        if self._parser.requests:
            await asyncio.sleep(0)  # who asks for much at once shares the event loop with the others
        while not self._parser.requests:
            if not await self.read():
                await self._refuse(self._parser.refused)
                return None
        return self._parser.requests.popleft()

    async def _answer(self, request: IncomingRequest, client: Address, server: Address) -> bool:
        """Call the application; return whether another request may follow.

        Where it does not bring its answer to an end, the connection's end tells of it.
        """
        exchange = Exchange(request, self, self._config.response_headers("h11"))
        problem = None
        try:
            await self._app(exchange.scope(client, server), exchange.receive, exchange.send, None, None)
        except Exception:  # noqa: BLE001 - an application may raise anything, and others are served all the same
            await self._config.log.exception("Error in ASGI Framework")
            problem = _INTERNAL_ERROR
        if not exchange.is_begun:
            await self._refuse(problem or self._parser.refused)
        return exchange.is_over and exchange.keeps_alive

    async def _refuse(self, status: int | None) -> None:
        """The last answer, in the place of one that nobody else gives; None: the client has left."""
        if status is not None:
            await self.write(refusal(status, self._config.response_headers("h11")))

    async def read(self) -> bool:
        """Wait for more, and have it parsed; return False where no more requests can come."""
        if self._parser.refused is not None:
            return False
        data, self._ahead = self._ahead or await self._receive(), b""
        if not data:
            self._parser.end()
            return False
        self._parser.feed(data)
        return True

    async def until_gone(self) -> None:
        """Return when the client has left. What it asks meanwhile is kept for later, or, if it is much, left unread."""
        while len(self._ahead) < _READ_BYTES:
            data = await self._receive()
            if not data:
                return
            self._ahead += data
        with suppress(OSError):
            await asyncio.shield(self._writer.wait_closed())

    async def _receive(self) -> bytes:
        """Nothing comes from a client that has left."""
        try:
            return await self._reader.read(_READ_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Return when there is room for more, or nobody to write to."""
        if self._writer.is_closing():
            await asyncio.sleep(0)  # who sends on and on could not be told that nobody is there
            return
        self._writer.write(data)
        with suppress(OSError):
            await self._writer.drain()

    async def _watch(self, task: asyncio.Task[None] | None) -> None:
        """End the connection when it has been idle for too long; when the server ends, at once, or after its grace.

        From Python 3.12 on a server waits for its connections, without end, before Hypercorn looks at the clock.
        """
        await self._until_idle_for_too_long()
        if self._idle_since is not None:
            self._writer.close()
        await self._terminated.wait()
        await asyncio.sleep(self._config.graceful_timeout)
        if task is not None:
            task.cancel()

    async def _until_idle_for_too_long(self) -> None:
        """Return when it has, or when the server ends."""
        while not self._terminated.is_set():
            since = self._loop.time() if self._idle_since is None else self._idle_since
            left_s = since + self._config.keep_alive_timeout - self._loop.time()
            if left_s <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):  # `wait_for` may swallow a cancellation before Python 3.12
                    await self._terminated.wait()

    async def _close(self) -> None:
        """Let what was written be read; for so long, and no longer."""
        within_s = _HURRIED_CLOSE_S if self._terminated.is_set() else _CLOSE_S
        giving_up = self._loop.call_later(within_s, self._writer.transport.abort)
        try:
            with suppress(OSError, RuntimeError):
                self._writer.write_eof()
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        except asyncio.CancelledError:
            self._writer.transport.abort()  # the server ends, and has waited for long enough
        finally:
            giving_up.cancel()
