"""Endpoints as clients write them: base URLs of runtimes, read strictly. Pure."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

from arp_service.errors import InvalidRequestError

Number = IPv4Address | IPv6Address

_LABEL = r"[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?"
_BYTE = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HOST = rf"({_LABEL}(\.{_LABEL})*|{_BYTE}(\.{_BYTE}){{3}}|\[::1\])"
_PORT = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
_PATH = r"(/[A-Za-z0-9._~-]*)*"
ENDPOINT_PATTERN = rf"^http://{_HOST}{_PORT}{_PATH}$"
"""What is taken for an endpoint by everybody, as a JSON Schema `pattern`: `read_endpoint` understands some more."""
URL_PATTERN = rf"^https?://([A-Za-z0-9._-]+|\[::1\]){_PORT}{_PATH}$"
"""What is taken for the address of something that instances call; as a JSON Schema `pattern`, without all IPv6."""

_HTTP_PORT = 80
_URL = re.compile(rf"https?://([A-Za-z0-9._-]+|\[(?P<bracketed>[0-9A-Fa-f:.]+)\]){_PORT}{_PATH}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]*[a-z0-9])?")
# `127.1`, `0x7f.1` and `2130706433` mean 127.0.0.1 to a resolver, and something else to the next reader.
_HALF_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")


class Endpoint(NamedTuple):
    """A base URL, and what is in it. `host` is lower case, without brackets and without a dot at its end."""

    url: str
    host: str
    port: int

    @property
    def number(self) -> Number | None:
        """The host where it is a number, None where it is a name."""
        return find_number(self.host)


def read_endpoint(given: str, place: str) -> Endpoint:
    """Return what a client gave as an endpoint. `place` is where it stands in the body.

    Raises:
        InvalidRequestError: it is no http URL of a host, a port and perhaps a path.
    """
    if any(ord(character) < 0x21 or ord(character) >= 0x7F for character in given) or "\\" in given:
        raise InvalidRequestError(f"{place}: a URL has no spaces, no backslashes, and ASCII characters only.")
    try:
        parts = urlsplit(given)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError as exc:
        raise InvalidRequestError(f"{place}: {given[:100]!r} is not a URL.") from exc
    extra = "@" in parts.netloc or "?" in given or "#" in given
    if parts.scheme != "http" or extra or port == 0 or not is_host(host):
        raise InvalidRequestError(f"{place}: use a base URL like http://127.0.0.1:8081.")
    bracketed = f"[{host}]" if ":" in host else host
    shown_port = "" if port in {None, _HTTP_PORT} else f":{port}"
    return Endpoint(f"http://{bracketed}{shown_port}{parts.path.rstrip('/')}", host, port or _HTTP_PORT)


def is_url(text: str) -> bool:
    """Whether it is an address of something that instances call; who calls it, and how, is theirs to know."""
    match = _URL.fullmatch(text)
    return match is not None and (match["bracketed"] is None or find_number(match["bracketed"]) is not None)


def normal_endpoint(given: str) -> str:
    """The endpoint as instances show theirs; what is no endpoint stays as it is, and fits nothing."""
    try:
        return read_endpoint(given, "$").url
    except InvalidRequestError:
        return given


def is_host(text: str) -> bool:
    """Whether it is a host name or a number, written out in full and in lower case."""
    return find_number(text) is not None or bool(_NAME.fullmatch(text) and not _HALF_A_NUMBER.fullmatch(text))


def find_number(host: str) -> Number | None:
    """The host as a number, or None. One with a zone (`fe80::1%eth0`) is none."""
    try:
        return None if "%" in host else ipaddress.ip_address(host)
    except ValueError:
        return None
