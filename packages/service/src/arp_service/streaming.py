"""An answer that comes in pieces, for as long as it takes.

It ends with its pieces, or with its reader: when that leaves, also while nothing comes, or takes nothing for too long.
sse-starlette does as much with three tasks and a timer for each send; here are the request's own task, which sends, and
one that looks after the reader. Timers are not set for a send, but for when there may be something to do.
"""

from __future__ import annotations

from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING

import anyio
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.types import Receive, Scope, Send

PLAIN_TEXT = "text/plain; charset=utf-8"
# Proxies and clients drop connections that are silent for longer; a sign of life keeps them.
HEARTBEAT_S = 15.0
# A reader that takes nothing for so long is dropped.
_SEND_TIMEOUT_S = 30.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamedResponse(Response):
    """Pieces as they come. A HEAD request opens no stream.

    `heartbeat` is sent when nothing has been for a while; empty where nothing may come between the pieces.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        media_type: str,
        headers: Mapping[str, str],
        heartbeat: bytes = b"",
    ) -> None:
        self._pieces = pieces
        self._heartbeat = heartbeat
        self._sending = False
        self._sent_at = 0.0
        """When the last send began, by the monotonic clock."""
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({**_HEADERS, **headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await self._pieces.aclose()
            await send({"type": "http.response.body"})
            return
        self._sent_at = monotonic()
        error: Exception | None = None
        async with aclosing(self._pieces), anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_reader_is_gone, receive, send, tasks.cancel_scope)
            try:
                await self._send_pieces(send)
            except Exception as exc:  # noqa: BLE001 - raised below, not as one of a group
                error = exc
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _send_pieces(self, send: Send) -> None:
        async for piece in self._pieces:
            await self._send(send, piece)
        await send({"type": "http.response.body"})

    async def _send(self, send: Send, piece: bytes) -> None:
        self._sent_at, self._sending = monotonic(), True
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        self._sending = False

    async def _until_reader_is_gone(self, receive: Receive, send: Send, stream: anyio.CancelScope) -> None:
        """When the reader has left, or takes nothing, end the stream: the server closes the connection."""
        while not self._is_stuck():
            with anyio.move_on_after(self._until_next_look()):
                if (await receive())["type"] == "http.disconnect":
                    break
            if self._heartbeat and not self._sending and self._silent_for() >= HEARTBEAT_S:
                with anyio.move_on_after(_SEND_TIMEOUT_S):
                    await self._send(send, self._heartbeat)
        stream.cancel()

    def _until_next_look(self) -> float:
        """How long nothing can be to do; no longer than this, as sends begin and end meanwhile."""
        left_s = HEARTBEAT_S
        if self._sending:
            left_s = _SEND_TIMEOUT_S - self._silent_for()
        elif self._heartbeat:
            left_s -= self._silent_for()
        return min(left_s, HEARTBEAT_S, _SEND_TIMEOUT_S)

    def _silent_for(self) -> float:
        return monotonic() - self._sent_at

    def _is_stuck(self) -> bool:
        return self._sending and self._silent_for() >= _SEND_TIMEOUT_S


def text_response(pieces: AsyncGenerator[bytes, None]) -> StreamedResponse:
    """Send pieces of UTF-8. Nothing is sent that is not text, so there is no sign of life either."""
    return StreamedResponse(pieces, PLAIN_TEXT, {"X-Content-Type-Options": "nosniff"})
