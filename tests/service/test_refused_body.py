"""A body that is too large is refused with an answer, not with a broken connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from arp_service.application import create_app
from arp_service.body import read_body
from arp_service.responses import StructResponse
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_MAX_BYTES = 1000
_CHUNK = b"x" * 100_000


async def _count(request: Request) -> StructResponse:
    return StructResponse({"bytes": len(await read_body(request, _MAX_BYTES))})


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield _CHUNK


@pytest.mark.parametrize("declared", [True, False])
async def test_the_sender_of_a_body_over_the_limit_gets_the_answer(declared: bool) -> None:
    """Also one that sends megabytes before it reads, with or without a Content-Length."""
    content = _CHUNK * 80 if declared else _chunks(80)
    async with served(create_app([Route("/", _count, methods=["POST"])], lambda _scope, _headers: None)) as client:
        answer = await client.post("/", content=content)
        assert answer.status_code == 413
        assert answer.json()["error"]["details"] == {"max_bytes": _MAX_BYTES}
        assert (await client.post("/", content=b"x" * _MAX_BYTES)).json() == {"bytes": _MAX_BYTES}
