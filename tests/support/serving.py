"""A real server for an ASGI app: Hypercorn on a loopback port, in the test's own event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx

from arp_service.serving import bind, serve, url_of
from arp_service.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp


@asynccontextmanager
async def served(app: ASGIApp, stop: Stop | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the served app; the server has closed when the block ends."""
    stop = stop or Stop()
    listener = bind("127.0.0.1", 0)
    url = url_of(listener)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, app, listener, stop, _nothing_to_drain)
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
            try:
                yield client
            finally:
                stop.requested.set()


async def _nothing_to_drain() -> None:
    return
