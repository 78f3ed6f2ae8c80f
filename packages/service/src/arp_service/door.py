"""The door: before anything of a request is read it is looked at where it comes from, and who sends it.

`Host` is checked against DNS rebinding and `Origin` against other sites' pages (RFC 6454); who gets in is for
`arp_service.admission` to say.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from arp_service.errors import ForbiddenError, ServiceError
from arp_service.responses import error_response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

# Of Host headers it is remembered what they name: clients of a service send the same few.
_HOSTS_REMEMBERED = 64
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


class HostNotAllowedError(ForbiddenError):
    """The Host header names another machine: perhaps a page that rebinds DNS."""

    code = "host_not_allowed"


class OriginNotAllowedError(ForbiddenError):
    """The request comes from a page of another site."""

    code = "origin_not_allowed"


class Door:
    """ASGI middleware that lets in whom `admit` lets in, with a clean Host and Origin."""

    def __init__(
        self, app: ASGIApp, admit: Callable[[Scope, Headers], None], allowed_hosts: Collection[str] = ()
    ) -> None:
        """`allowed_hosts` are what this machine is called beside loopback, as `read_host` returns them."""
        self._app = app
        self._admit = admit
        self._allowed_hosts = frozenset(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may come in; answer who may not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            check_host(headers, scope, self._allowed_hosts)
            check_origin(headers)
            self._admit(scope, headers)
        except ServiceError as error:
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def check_host(headers: Headers, scope: Scope, allowed: Collection[str] = ()) -> None:
    """Refuse a Host that is neither loopback, nor the number that was called, nor one that the operator allows."""
    hosts = headers.getlist("host")
    if len(hosts) == 1 and (_names_loopback(hosts[0]) or _is_called(hosts[0], scope, allowed)):
        return
    raise HostNotAllowedError(
        "The Host header must name this machine: localhost, 127.0.0.1 or [::1], the number that it is called by, or "
        "what --allow-host names."
    )


def check_origin(headers: Headers) -> None:
    """Refuse a page of another origin; programs send no Origin. Behind a proxy that ends TLS, the own one is https."""
    origin = headers.get("origin")
    if origin is None:
        return
    host = headers["host"].lower()
    if origin.lower() not in (f"http://{host}", f"https://{host}"):
        raise OriginNotAllowedError(f"Pages of {origin[:100]!r} may not call this service.")


def is_loopback_host(host: str) -> bool:
    """Whether a host name or number means this machine's loopback."""
    if host.lower() in {"localhost", "localhost."}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_host(given: str) -> str:
    """Return a host's name or number as a Host header would have it. Raises ValueError for anything else."""
    name = given.lower().removesuffix(".")
    if not _HOST.fullmatch(name) or name != _host_name(f"//[{name}]" if ":" in name else f"//{name}"):
        raise ValueError(f"{given}: write a name or a number, without scheme and port")
    return name


def _is_called(host: str, scope: Scope, allowed: Collection[str]) -> bool:
    """No page can make its name be a number: it is asked for by its name."""
    name = _host_name(f"//{host}").removesuffix(".")
    server = scope.get("server")
    return name in allowed or (server is not None and _is_same_number(name, server[0]))


def _is_same_number(name: str, number: str) -> bool:
    try:
        one, other = ipaddress.ip_address(name), ipaddress.ip_address(number)
    except ValueError:
        return False
    return one == (getattr(other, "ipv4_mapped", None) or other)


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
