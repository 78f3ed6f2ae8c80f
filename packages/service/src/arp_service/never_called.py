"""Numbers that nothing of ours ever calls, whoever asks for it. Pure."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

# Where clouds tell a machine its credentials; 169.254.169.254 is link-local like most of them.
_METADATA = frozenset(
    ipaddress.ip_address(number)
    for number in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_IPV6_LOOPBACK = IPv6Address("::1")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
# IPv6 networks that lead on to an IPv4 number, which stands in the last 32 bits.
_TRANSLATED = tuple(ipaddress.ip_network(n) for n in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"))


def why_never(number: IPv4Address | IPv6Address) -> str | None:
    """What is at a number that nothing may ever be sent to; None where it may."""
    for plain in (number, *_embedded(number)):
        if plain in _METADATA:
            return "a metadata service"
        if plain.is_link_local:
            return "a link-local address"
        if plain.is_unspecified or plain in _THIS_NETWORK:
            return "no address"
        if plain.is_multicast:
            return "a multicast address"
        if isinstance(plain, IPv4Address) and plain.is_reserved:
            return "a reserved address"
    return None


def _embedded(number: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 numbers that an IPv6 number leads on to. `::1` is only itself."""
    if isinstance(number, IPv4Address) or number == _IPV6_LOOPBACK:
        return []
    found = [IPv4Address(int(number) & 0xFFFFFFFF)] if any(number in network for network in _TRANSLATED) else []
    found += [] if number.sixtofour is None else [number.sixtofour]
    found += [] if number.teredo is None else list(number.teredo)
    return found
