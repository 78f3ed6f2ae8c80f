"""What an answer leaves unread of its request's body.

The server closes a connection whose request it has not received whole when the answer is sent, and says nothing of
it. A client that keeps connections, and sends a body after its headers as most do, then sees its next request fail.
So what is still on its way is read, and thrown away, before an answer begins; where that is too much or comes too
slowly, the answer announces the close (RFC 9112, 9.6). A client that waits to be asked for its body is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from arp_service.exchange import BODY_HAS_COME
from arp_service.request_parser import waits_to_be_asked

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A body that a client sends at once is there within this; a stranger is not waited for much longer.
_PATIENCE_S = 2.0
# As large as a body may be that a service reads to the end.
_MAX_BYTES = 4 * 1024 * 1024
_BODY_HEADERS = (b"content-length", b"transfer-encoding")


class UnreadBody:
    """ASGI middleware, outside of all that answers."""

    def __init__(self, app: ASGIApp, patience_s: float = _PATIENCE_S) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; before the answer to a request with a body, read what is left of that."""
        if scope["type"] != "http" or scope.get(BODY_HAS_COME) or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.ended:
                if body.is_asked_for or not waits_to_be_asked(scope["http_version"], scope["headers"]):
                    with anyio.move_on_after(self._patience_s):
                        await body.discard()
                if not body.ended:
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await self._app(scope, body.receive, send_after_body)


def _has_body(scope: Scope) -> bool:
    return any(name in _BODY_HEADERS for name, _ in scope["headers"])


class _Body:
    """Passes a request's body on and knows whether it has ended."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_asked_for = False
        self.ended = False

    async def receive(self) -> Message:
        self.is_asked_for = True
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.ended = True
        return message

    async def discard(self) -> None:
        size = 0
        while not self.ended and size <= _MAX_BYTES:
            size += len((await self.receive()).get("body", b""))
