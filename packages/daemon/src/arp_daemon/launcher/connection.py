"""One daemon's connection, as the launcher sees it."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from arp_daemon.launcher.protocol import MAX_MESSAGE_BYTES, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import SocketStream

__all__ = ["Connection"]

# What may wait for a daemon that does not read; with more, its connection is broken.
_OUTBOX_BYTES = 4 * MAX_MESSAGE_BYTES
# For what is left to say when a connection ends.
_FLUSH_TIMEOUT = 1.0
_CLOSED = (anyio.BrokenResourceError, anyio.ClosedResourceError)


class Connection:
    """Lines in, messages out. Neither waits for the other."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._outbox, self._out = anyio.create_memory_object_stream[bytes](math.inf)
        self._queued_bytes = 0
        self._scope = anyio.CancelScope()
        self._written = anyio.Event()
        self.ended = anyio.Event()

    def send(self, message: Any) -> None:
        """Queue a message. To a connection that has ended, or whose other end does not read, nothing is sent."""
        line = encode(message)
        self._queued_bytes += len(line)
        if self._queued_bytes > _OUTBOX_BYTES:
            self._scope.cancel()
        else:
            with suppress(*_CLOSED):
                self._outbox.send_nowait(line)

    def finish(self) -> None:
        """Say what is queued, and nothing more; the other end then closes, and `run` returns."""
        self._outbox.close()

    async def run(self, take_line: Callable[[bytes], bool]) -> None:
        """Give each line to `take_line` until it returns False, or the other end is done or broken; then close."""
        with self._scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write)
                await self._read(take_line)
                self.finish()
                with anyio.move_on_after(_FLUSH_TIMEOUT):
                    await self._written.wait()
                tasks.cancel_scope.cancel()
        self._outbox.close()
        self._out.close()
        await self._stream.aclose()
        self.ended.set()

    async def _read(self, take_line: Callable[[bytes], bool]) -> None:
        lines = BufferedByteReceiveStream(self._stream)
        with suppress(*_CLOSED, anyio.IncompleteRead, anyio.DelimiterNotFound):
            while take_line(await lines.receive_until(b"\n", MAX_MESSAGE_BYTES)):
                pass

    async def _write(self) -> None:
        # An OSError is the end of what the other end has closed already.
        with suppress(*_CLOSED, OSError):
            async for line in self._out:
                await self._stream.send(line)
                self._queued_bytes -= len(line)
            await self._stream.send_eof()
        self._written.set()
