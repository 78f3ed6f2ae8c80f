"""A refused request leaves its connection usable, or says that it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.responses import PlainTextResponse

from arp_service.unread_body import UnreadBody

if TYPE_CHECKING:
    from starlette.types import Message

_REQUEST: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/",
    "headers": [(b"content-length", b"3")],
}
_refusal = PlainTextResponse("no", 403)


class _Exchange:
    """A request whose body comes in these pieces, and what was sent after how many of them."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self._pieces = list(pieces)
        self._ends = ends
        self.left_at_answer = -1
        self.headers: dict[bytes, bytes] = {}

    async def receive(self) -> Message:
        if not self._pieces:
            await anyio.sleep_forever()
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or not self._ends}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.left_at_answer = len(self._pieces)
            self.headers = dict(message["headers"])


@pytest.mark.parametrize("pieces", [(b"abc",), (b"a", b"b", b"c")])
async def test_a_body_is_received_before_the_answer_begins(pieces: tuple[bytes, ...]) -> None:
    """Also one that the answer does not need: else the server would close the connection without a word."""
    exchange = _Exchange(*pieces)
    await UnreadBody(_refusal)(_REQUEST, exchange.receive, exchange.send)
    assert exchange.left_at_answer == 0
    assert b"connection" not in exchange.headers


@pytest.mark.parametrize("pieces", [(), (b"a",), (b"x" * 1_000_000,) * 9], ids=["nothing", "too slow", "too much"])
async def test_a_body_that_is_not_waited_for_closes_the_connection(pieces: tuple[bytes, ...]) -> None:
    """The answer comes all the same, and announces the close."""
    exchange = _Exchange(*pieces, ends=False)
    await UnreadBody(_refusal, patience_s=0.05)(_REQUEST, exchange.receive, exchange.send)
    assert exchange.headers[b"connection"] == b"close"


async def test_a_request_without_a_body_is_answered_at_once() -> None:
    """Nothing is waited for that will not come."""
    exchange = _Exchange()
    await UnreadBody(_refusal)({**_REQUEST, "headers": []}, exchange.receive, exchange.send)
    assert exchange.left_at_answer == 0
    assert b"connection" not in exchange.headers
