"""Calls to other servers: where they may go, and how much may come back. The one module that knows httpx.

A name is looked up for each request, and the connection goes to the very number that was checked, so that it cannot
come to mean another in between. No redirect is followed. Where the environment names a proxy for the address, the proxy
looks names up.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import anyio
import httpx

from arp_service.never_called import why_never

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_CONNECT_TIMEOUT_S = 5.0
# A name may have many numbers; a server that does not answer at the first few is not there.
_MAX_TRIED = 4
_PLAIN = "identity"

# Plain http needs none.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Client = httpx.AsyncClient
Answer = httpx.Response
"""What this module's callers write into their signatures."""


class OutboundError(Exception):
    """The server could not be called, or did not answer as HTTP servers do. The message says what happened."""


class NotCallableError(OutboundError):
    """That is no address that may be called; nothing was sent."""


class OutboundTimeoutError(OutboundError):
    """The server was silent for too long."""


def open_client(
    base_url: str, *, headers: dict[str, str], silence_s: float, max_answer_bytes: int
) -> httpx.AsyncClient:
    """A client of one server, to be closed. `silence_s` is how long the server may say nothing.

    Raises:
        NotCallableError: the address is no http or https URL.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as exc:
        raise NotCallableError(f"{base_url!r} is no address: {exc}") from exc
    if url.scheme not in {"http", "https"} or not url.host:
        raise NotCallableError(f"{base_url!r} is no http or https address.")
    if url.userinfo or url.query or url.fragment:
        raise NotCallableError("An address has no user, no '?' and no '#'; keys come from the environment.")
    return httpx.AsyncClient(
        base_url=url,
        headers={**headers, "Accept-Encoding": _PLAIN},
        timeout=httpx.Timeout(silence_s, connect=_CONNECT_TIMEOUT_S),
        transport=_transport(url, max_answer_bytes),
        trust_env=False,
        follow_redirects=False,
    )


@contextmanager
def outbound_errors() -> Iterator[None]:
    """Raise what httpx raises as one of our own errors."""
    try:
        yield
    except httpx.UnsupportedProtocol as exc:
        raise NotCallableError(str(exc)) from exc
    except httpx.TimeoutException as exc:
        raise OutboundTimeoutError(str(exc) or "no answer in time") from exc
    except (httpx.RequestError, httpx.StreamError, httpx.InvalidURL) as exc:
        raise OutboundError(str(exc) or type(exc).__name__) from exc


@cache
def _authorities() -> ssl.SSLContext:
    """Loaded once, which takes some 20 ms."""
    return httpx.create_ssl_context()


def _transport(url: httpx.URL, max_answer_bytes: int) -> httpx.AsyncBaseTransport:
    proxy = None if _is_this_machine(url.host) or proxy_bypass(url.host) else getproxies().get(url.scheme)
    verify = _authorities() if url.scheme == "https" else _NO_AUTHORITIES
    inner = httpx.AsyncHTTPTransport(verify=verify, trust_env=False, proxy=proxy)
    return _CarefulTransport(inner, max_answer_bytes, looks_up=proxy is None)


def _is_this_machine(host: str) -> bool:
    """By its name alone; no proxy can reach what listens here."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _CarefulTransport(httpx.AsyncBaseTransport):
    """Checks where a request goes before it goes there, and bounds what comes back."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, max_answer_bytes: int, *, looks_up: bool) -> None:
        self._inner = inner
        self._max_answer_bytes = max_answer_bytes
        self._looks_up = looks_up

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._send(request)
        encoding = response.headers.get("content-encoding", _PLAIN)
        if encoding != _PLAIN:  # a small answer could unpack to a huge one
            await response.aclose()
            raise httpx.DecodingError(f"The answer is packed ({encoding}), which was not asked for.", request=request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(response.stream, self._max_answer_bytes, request),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        numbers = await _numbers_of(request, looks_up=self._looks_up)
        if not self._looks_up:
            return await self._inner.handle_async_request(request)
        for number in numbers[:-1]:
            try:
                return await self._inner.handle_async_request(_pinned(request, number))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_pinned(request, numbers[-1]))


class _BoundedStream(httpx.AsyncByteStream):
    """An answer's body, up to so many bytes."""

    def __init__(self, inner: httpx.AsyncByteStream, max_bytes: int, request: httpx.Request) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._inner:
            received += len(chunk)
            if received > self._max_bytes:
                raise httpx.DecodingError(f"The answer is over {self._max_bytes} bytes.", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _numbers_of(request: httpx.Request, *, looks_up: bool) -> list[str]:
    """Where the request's host leads, all of it checked; empty where a proxy finds out about a name."""
    host = request.url.host
    try:
        numbers = [ipaddress.ip_address(host)]
    except ValueError:
        numbers = [ipaddress.ip_address(number) for number in await _look_up(request)] if looks_up else []
    for number in numbers:
        if reason := why_never(number):
            raise httpx.UnsupportedProtocol(f"{host} leads to {reason}, which is never called.", request=request)
    return [str(number) for number in numbers[:_MAX_TRIED]]


async def _look_up(request: httpx.Request) -> list[str]:
    host = request.url.host
    try:
        with anyio.fail_after(_CONNECT_TIMEOUT_S):
            found = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError as exc:
        raise httpx.ConnectTimeout(f"{host} was not found in time.", request=request) from exc
    except OSError as exc:
        raise httpx.ConnectError(f"{host} was not found: {exc.strerror or exc}.", request=request) from exc
    return list(dict.fromkeys(str(sockaddr[0]) for _family, _type, _proto, _name, sockaddr in found))


def _pinned(request: httpx.Request, number: str) -> httpx.Request:
    """The same request to a number; the Host header, and the name that TLS checks, stay."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=number),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
