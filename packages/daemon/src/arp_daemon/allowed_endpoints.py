"""Which endpoints the operator lets clients register. Pure.

Loopback is allowed from the start: `localhost` and the numbers of this machine's loopback. More comes by patterns
(`--allow-endpoint`), each with a port at its end, or for any port without:

| pattern | allows |
|---|---|
| `runtimes.example.com` | this name, wherever it leads but to what is never called |
| `*.example.com` | every name below `example.com`, at any depth, and not `example.com` itself |
| `10.1.2.3`, `fd00::1` | this number, and names that lead to it alone |
| `10.0.0.0/8`, `fd00::/8` | the numbers of this network, and names all of whose numbers are in it |
| `10.0.0.0/8:8081`, `[fd00::/8]:8081` | the same, at this port only |

No pattern allows what is never called: link-local and metadata services, unspecified, multicast and reserved numbers,
also where they are written as an IPv6 number.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from arp_daemon.endpoint import find_number, is_host
from arp_daemon.errors import EndpointNotAllowedError
from arp_service.never_called import why_never

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from arp_daemon.endpoint import Endpoint, Number

_LOCALHOST = "localhost"
_PATTERN = re.compile(r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_MAX_PORT = 65535

_IPV6_LOOPBACK = IPv6Address("::1")


@dataclass(frozen=True)
class EndpointPattern:
    """One `--allow-endpoint`: a name, all names below one, or a network; at one port or any (None)."""

    name: str | None
    below: bool
    network: IPv4Network | IPv6Network | None
    port: int | None

    def allows_name(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint's host is a name that this pattern allows by itself."""
        if self.name is None or not self._allows_port(endpoint.port):
            return False
        return endpoint.host.endswith("." + self.name) if self.below else endpoint.host == self.name

    def allows_number(self, number: Number, port: int) -> bool:
        """Whether the number is in this pattern's network."""
        return self.network is not None and number in self.network and self._allows_port(port)

    def _allows_port(self, port: int) -> bool:
        return self.port is None or self.port == port


def read_pattern(text: str) -> EndpointPattern:
    """Return the pattern that an operator wrote.

    Raises:
        ValueError: it is none; says what to write.
    """
    try:
        if text.count(":") > 1 and "[" not in text:
            return EndpointPattern(None, below=False, network=ipaddress.ip_network(text), port=None)
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ValueError("write HOST, *.DOMAIN, NUMBER or NETWORK/BITS, and perhaps :PORT")
        port = None if match["port"] is None else int(match["port"])
        if port is not None and not 1 <= port <= _MAX_PORT:
            raise ValueError(f"a port is 1 to {_MAX_PORT}")
        host = (match["bracketed"] or match["plain"]).lower()
        if match["bracketed"] is not None or "/" in host or find_number(host) is not None:
            return EndpointPattern(None, below=False, network=ipaddress.ip_network(host), port=port)
        name = host.removeprefix("*.").removesuffix(".")
        if not is_host(name) or find_number(name) is not None:
            raise ValueError("write HOST, *.DOMAIN, NUMBER or NETWORK/BITS, and perhaps :PORT")
        return EndpointPattern(name, below=host.startswith("*."), network=None, port=port)
    except ValueError as exc:
        raise ValueError(f"{text!r} allows no endpoint: {exc}") from exc


class AllowedEndpoints:
    """Asked before a name is looked up, and again before its numbers are called."""

    def __init__(self, patterns: Iterable[EndpointPattern] = ()) -> None:
        self._patterns = tuple(patterns)

    def check_lookup(self, endpoint: Endpoint) -> None:
        """Refuse a name that could not be allowed wherever it led, so that it is not even looked up.

        Raises:
            EndpointNotAllowedError: no pattern can fit it.
        """
        by_number = any(pattern.network is not None for pattern in self._patterns)
        if endpoint.host != _LOCALHOST and not by_number and not self._allows_name(endpoint):
            raise _refused(endpoint)

    def check(self, endpoint: Endpoint, numbers: Sequence[Number]) -> None:
        """Refuse an endpoint unless every number that it leads to may be called.

        Raises:
            EndpointNotAllowedError: the operator does not allow it, or nobody may.
        """
        for number in numbers:
            if reason := why_never(number):
                raise EndpointNotAllowedError(f"{endpoint.url} leads to {reason}, which is never called.")
        named = self._allows_name(endpoint)
        local = endpoint.host == _LOCALHOST or endpoint.number is not None
        for number in numbers:
            in_network = any(pattern.allows_number(number, endpoint.port) for pattern in self._patterns)
            if not (named or in_network or (local and _is_loopback(number))):
                raise _refused(endpoint)

    def _allows_name(self, endpoint: Endpoint) -> bool:
        return any(pattern.allows_name(endpoint) for pattern in self._patterns)


def _is_loopback(number: Number) -> bool:
    """Written plainly: what Python takes for loopback in an IPv4-mapped form differs with its version."""
    return number == _IPV6_LOOPBACK if isinstance(number, IPv6Address) else number.is_loopback


def _refused(endpoint: Endpoint) -> EndpointNotAllowedError:
    return EndpointNotAllowedError(
        f"{endpoint.url}: only endpoints on this machine (127.0.0.1, ::1, localhost) may be used, "
        "and those that the operator allows (--allow-endpoint)."
    )
