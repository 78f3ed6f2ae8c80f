"""Connections to instances: to the address that was checked and nowhere else, whatever a name means by now.

What is answered there is bounded (`bounded_http`), whoever asks.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from arp_daemon.bounded_http import BoundedTransport
from arp_sdk.runtime import AsyncRuntimeClient

if TYPE_CHECKING:
    from arp_daemon.address import Address

# Endpoints are plain http; to load the authorities for TLS would cost 20 ms an instance for nothing.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# A control call is answered at once, but for a cancel, which a runtime may answer when the agent has stopped.
_CALL_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_HTTP_PORT = 80
_PLAIN = {"Accept-Encoding": "identity"}
# As many streams as an instance has runs, where it has no one stream of all.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)


def http_client(address: Address) -> httpx.AsyncClient:
    """A connection pool of its own; no proxy, no redirect and no lookup leads away from the address."""
    return httpx.AsyncClient(
        base_url=address.base_url, transport=_transport(address), trust_env=False, headers=_PLAIN, limits=_LIMITS
    )


def runtime_client(address: Address) -> AsyncRuntimeClient:
    """The SDK's client over such a pool, which is closed with it.

    Each call is made once: whether and when it is made again is for those to decide who know the instance. No token of
    the daemon's user goes there.
    """
    return AsyncRuntimeClient(
        base_url=address.base_url,
        timeout=_CALL_TIMEOUT,
        headers=_PLAIN,
        token="",
        retries=0,
        httpx_args={"transport": _transport(address), "trust_env": False},
    )


async def open_socket(address: Address) -> socket.socket:
    """A connected socket that does not block. Raises OSError where nobody takes the connection."""
    loop = asyncio.get_running_loop()
    if address.uds is not None:
        return await _connected(loop, socket.AF_UNIX, address.uds)
    url = urlsplit(address.base_url)
    host, port = address.ip or url.hostname or "", url.port or _HTTP_PORT
    refused: OSError | None = None
    for family, _, _, _, found in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            return await _connected(loop, family, found)
        except OSError as exc:
            refused = refused or exc
    raise refused or OSError(f"{host} has no address")


async def _connected(loop: asyncio.AbstractEventLoop, family: int, to: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, to)
    except BaseException:
        sock.close()
        raise
    return sock


def _transport(address: Address) -> httpx.AsyncBaseTransport:
    plain = httpx.AsyncHTTPTransport(uds=address.uds, verify=_NO_AUTHORITIES, trust_env=False, limits=_LIMITS)
    return BoundedTransport(plain if address.ip is None else _PinnedTransport(plain, address.ip))


class _PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to one number; the Host header keeps the name that the client has written into it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, ip: str) -> None:
        self._inner = inner
        self._ip = ip

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=self._ip),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        await self._inner.aclose()
