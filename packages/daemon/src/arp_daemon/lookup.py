"""From an endpoint that a client gave to the addresses that may be called: looked up once, all checked, pinned."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import anyio

from arp_daemon.address import Address
from arp_daemon.endpoint import read_endpoint
from arp_daemon.errors import EndpointNotAllowedError, RuntimeProbeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from arp_daemon.allowed_endpoints import AllowedEndpoints
    from arp_daemon.endpoint import Endpoint, Number

    Resolve = Callable[[str], Awaitable[list[str]]]

_LOOKUP_TIMEOUT_S = 5.0
# A name may have many numbers; a runtime that does not answer at the first few is not there.
_MAX_TRIED = 4


async def locate(endpoint: Endpoint, allowed: AllowedEndpoints, resolve: Resolve) -> list[Address]:
    """Return where the endpoint leads, to be tried in this order.

    Raises:
        EndpointNotAllowedError: one of its numbers may not be called; nothing has been sent to any.
        RuntimeProbeError: its name leads nowhere.
    """
    numbers = await _look_up(endpoint, allowed, resolve) if endpoint.number is None else [endpoint.number]
    allowed.check(endpoint, numbers)
    return [Address(endpoint.url, ip=str(number)) for number in numbers[:_MAX_TRIED]]


def check_pinned(address: Address, allowed: AllowedEndpoints) -> None:
    """Refuse an address that was located under an earlier daemon's settings, and is no longer allowed.

    Raises:
        EndpointNotAllowedError: it is not, or was never located.
    """
    if address.ip is None:
        raise EndpointNotAllowedError(f"{address.endpoint} is not pinned to a number.")
    allowed.check(read_endpoint(address.base_url, address.base_url), [ipaddress.ip_address(address.ip)])


async def _look_up(endpoint: Endpoint, allowed: AllowedEndpoints, resolve: Resolve) -> list[Number]:
    allowed.check_lookup(endpoint)
    try:
        with anyio.fail_after(_LOOKUP_TIMEOUT_S):
            numbers = [ipaddress.ip_address(number) for number in await resolve(endpoint.host)]
    except TimeoutError as exc:
        raise RuntimeProbeError(f"{endpoint.host} was not found within {_LOOKUP_TIMEOUT_S:.0f} s.") from exc
    except OSError as exc:
        raise RuntimeProbeError(f"{endpoint.host} was not found: {exc.strerror or exc}.") from exc
    if not numbers:
        raise RuntimeProbeError(f"{endpoint.host} has no address.")
    return numbers


async def ask_system(host: str) -> list[str]:
    """The system's answer: each number once, best first. Off the event loop.

    Raises:
        OSError: there is none.
    """
    found = await anyio.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for _family, _type, _proto, _name, sockaddr in found))
