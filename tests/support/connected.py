"""A client that speaks bytes to a real server, and reads what comes back as it stands on the line."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from arp_service.application import create_app
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.routing import Route

HOST = b"Host: localhost\r\n"
GET = b"GET /%b HTTP/1.1\r\n" + HOST + b"\r\n"


class Client:
    """Speaks bytes, and reads an answer at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send it as it is."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status, and the headers by their names in lower case."""
        with anyio.fail_after(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.rstrip().split("\r\n")
        headers = (line.partition(":") for line in lines)
        return int(status.split()[1]), {name.lower(): value.strip() for name, _, value in headers}

    async def answer(self) -> tuple[int, bytes]:
        """An answer that tells its length."""
        status, headers = await self.head()
        return status, await self._reader.readexactly(int(headers["content-length"]))

    async def rest(self) -> bytes:
        """All that comes until the connection ends."""
        with anyio.fail_after(10):
            return await self._reader.read()


@asynccontextmanager
async def connected(*routes: Route) -> AsyncIterator[Client]:
    """Yield a client with a connection to a server of these routes, which lets everybody in."""
    async with served(create_app(routes, lambda _scope, _headers: None)) as client:
        url = client.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
