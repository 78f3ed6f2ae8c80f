"""A body that does not come is not waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.routing import Route

import arp_service.body
from arp_service.application import create_app
from arp_service.body import read_body
from arp_service.responses import StructResponse
from support.serving import served

if TYPE_CHECKING:
    import pytest
    from starlette.requests import Request


async def _count(request: Request) -> StructResponse:
    return StructResponse({"bytes": len(await read_body(request))})


async def test_a_sender_that_stops_in_the_middle_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """408 when its time is over, and the connection ends; others are served meanwhile."""
    monkeypatch.setattr(arp_service.body, "_BODY_TIMEOUT_S", 0.2)
    async with served(create_app([Route("/", _count, methods=["POST"])], lambda _scope, _headers: None)) as client:
        port = client.base_url.port
        assert port
        async with await anyio.connect_tcp("127.0.0.1", port) as slow:
            await slow.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf of it")
            assert (await client.post("/", content=b"all")).json() == {"bytes": 3}
            with anyio.fail_after(10):
                answer = b"".join([chunk async for chunk in slow])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"body_timeout"' in answer
