"""The door: who gets in, before anything of a request is read.

On loopback the daemon's own user gets in without a token: the kernel tells the peer's user on each request. A
forwarding header means a proxy, behind which anybody may stand. `Host` is checked against DNS rebinding and
`Origin` against other sites' pages (RFC 6454).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from arp_service.errors import ForbiddenError, ServiceError, UnauthorizedError
from arp_service.responses import error_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from arp_service.peer import Address, PeerLookup

_FORWARDING = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via"}
)
# Of Host headers it is remembered what they name: clients of a service send the same few.
_HOSTS_REMEMBERED = 64


class HostNotAllowedError(ForbiddenError):
    """The Host header names another machine: perhaps a page that rebinds DNS."""

    code = "host_not_allowed"


class OriginNotAllowedError(ForbiddenError):
    """The request comes from a page of another site."""

    code = "origin_not_allowed"


class Door:
    """ASGI middleware that lets in whom `admit` lets in, with a clean Host and Origin."""

    def __init__(self, app: ASGIApp, admit: Callable[[Scope, Headers], None]) -> None:
        self._app = app
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may come in; answer who may not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            check_host(headers)
            check_origin(headers)
            self._admit(scope, headers)
        except ServiceError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Admission(Protocol):
    """Who gets in."""

    @property
    def description(self) -> str:
        """In words, for the document of the API."""

    def __call__(self, scope: Scope, headers: Headers) -> None:
        """Raise unless this request may come in."""


class OwnUserOnly:
    """Admits requests of its own user (and of others that were named) over loopback, told by the kernel."""

    def __init__(self, lookup: PeerLookup, *uids: int) -> None:
        self._lookup = lookup
        self._uids = frozenset(uids)

    @property
    def description(self) -> str:
        """See `Admission`."""
        users = " and ".join(f"the user {uid}" for uid in sorted(self._uids))
        return f"It answers to {users} alone, over loopback: the kernel tells who calls, so there is no token."

    def __call__(self, scope: Scope, headers: Headers) -> None:
        """Raise unless the peer is one of the users, directly connected."""
        for header in _FORWARDING.intersection([name for name, _ in headers.raw]):
            name = header.decode()
            raise UnauthorizedError(f"The header {name!r} means a proxy: what comes through one needs a token.")
        client: Address | None = scope.get("client")
        server: Address | None = scope.get("server")
        uid = None if client is None or server is None else self._lookup.find_uid(client, server)
        if uid is None:
            raise UnauthorizedError("The user behind this connection cannot be told.")
        if uid not in self._uids:
            raise ForbiddenError("Only the user that this service runs as may call it without a token.")


def check_host(headers: Headers) -> None:
    """Refuse a Host that is not loopback by name or number."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _names_loopback(hosts[0]):
        raise HostNotAllowedError("The Host header must name this machine: localhost, 127.0.0.1 or [::1].")


def check_origin(headers: Headers) -> None:
    """Refuse a page of another origin; programs send no Origin."""
    origin = headers.get("origin")
    if origin is None:
        return
    if origin.lower() != f"http://{headers['host'].lower()}":
        raise OriginNotAllowedError(f"Pages of {origin[:100]!r} may not call this service.")


def is_loopback_host(host: str) -> bool:
    """Whether a host name or number means this machine's loopback."""
    if host.lower() in {"localhost", "localhost."}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(_HOSTS_REMEMBERED)
def _names_loopback(host: str) -> bool:
    return is_loopback_host(_host_name(f"//{host}"))


def _host_name(url: str) -> str:
    try:
        parts = urlsplit(url)
        _checked = parts.port  # raises where it is no number
        return parts.hostname or ""
    except ValueError:
        return ""
