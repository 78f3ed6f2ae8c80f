"""The seam to httpx: how its clients and requests are made, and what its exceptions mean here."""

from __future__ import annotations

import ipaddress
import math
import re
import ssl
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx

from arp_sdk._cookies import HttpxClient
from arp_sdk._version import __version__
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpRequestError, ArpResponseError, ArpTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_sdk._operation import Call
    from arp_sdk._tokens import Token

# How long a service may be silent in a call, in seconds, and how long connecting may take, unless the client says
# otherwise.
DEFAULT_TIMEOUT = httpx.Timeout(30.0, connect=5.0)

# How long a call may take with all its tries, in seconds, unless the client says otherwise.
DEFAULT_TOTAL_TIMEOUT = 120.0

# How long a stream may be silent, in seconds, before it is taken for dead.
SILENCE_TIMEOUT = 60.0

# Nothing was sent.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# The request itself cannot be sent.
_BAD_REQUEST = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
# Something answered, but it cannot be read.
_BAD_ANSWER = (httpx.DecodingError, httpx.TooManyRedirects)
# The number of an error of the system, before its words.
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
# What is wrong with a header is told in these words, and then the value.
_HEADER_VALUE = "header value"


def client_options(
    base_url: str | None,
    *,
    timeout: httpx.Timeout | float | None,
    headers: dict[str, str] | None,
    cookies: dict[str, str] | None,
    verify_ssl: Any,
    follow_redirects: bool,
    httpx_args: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the arguments for an httpx client. `httpx_args` has the last word. Raises ValueError for a bad URL."""
    url = _base_url(base_url)
    options: dict[str, Any] = {
        "base_url": url,
        "timeout": DEFAULT_TIMEOUT if timeout is None else timeout,
        "headers": {"User-Agent": f"arp-standard-py/{__version__}", **(headers or {})},
        "cookies": cookies,
        "verify": verify_ssl,
        "follow_redirects": follow_redirects,
    }
    if is_loopback(url.host) and "proxy" not in (httpx_args or {}):
        # A proxy from the environment leads away from this machine; it can't reach what listens here.
        host = f"[{url.host}]" if ":" in url.host else url.host
        options["mounts"] = {f"all://{host}": None}
    options.update(httpx_args or {})
    if options["verify"] is True and url.scheme == "http" and not options["follow_redirects"]:
        # To load the authorities takes 20 ms, for TLS that is never spoken. Without them, none would be trusted.
        options["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return options


def make_client(options: dict[str, Any]) -> httpx.Client:
    """Return a blocking httpx client. Plain HTTP to this machine goes by a transport of ours, unless told otherwise."""
    url = httpx.URL(options["base_url"])
    mounts = options.get("mounts")
    if url.scheme == "http" and is_loopback(url.host) and mounts and "transport" not in options:
        from arp_sdk._plain_http import PlainTransport  # noqa: PLC0415 - h11 takes a tenth of the import

        here = {str(url.copy_with(raw_path=b"")): PlainTransport(url.host, url.port or 80)}
        options = {**options, "mounts": {**mounts, **here}}
    return HttpxClient(**options)


def _base_url(base_url: str | None) -> httpx.URL:
    try:
        url = httpx.URL(base_url or "")
    except httpx.InvalidURL as exc:
        raise ValueError(f"base_url {base_url!r} is no address: {exc}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"base_url must be an http or https address, not {base_url!r}")
    return url


def build_request(
    client: httpx.Client | httpx.AsyncClient, call: Call, token: Token | None, timeout: httpx.Timeout
) -> httpx.Request:
    """Return the request of a call, with what the client adds to each of its requests.

    `client.build_request` takes three times as long, because it parses and joins every address anew. It is left to it
    where the client adds more than headers.
    """
    given = {name.lower().encode(): value for name, value in call.headers.items()}
    headers = [(name, value) for name, value in client.headers.raw if name.lower() not in given]
    headers += [(name.encode(), value.encode()) for name, value in call.headers.items()]
    if token is not None and "authorization" not in client.headers:
        headers.append((b"Authorization", token.header().encode()))
    if client.params or client.cookies:
        return client.build_request(
            call.method, call.path, params=call.query, headers=headers, content=call.content, timeout=timeout
        )
    query = f"?{httpx.QueryParams(call.query)}" if call.query else ""
    return httpx.Request(
        call.method,
        _url(f"{str(client.base_url).removesuffix('/')}{call.path}{query}"),
        headers=headers,
        content=call.content,
        extensions={"timeout": timeout.as_dict()},
    )


@lru_cache(maxsize=128)
def _url(address: str) -> httpx.URL:
    """Return the address parsed. That takes a tenth of a call, and runs are asked about again and again."""
    return httpx.URL(address)


def total_limit(total_timeout: float | None, timeout: httpx.Timeout) -> float:
    """Return how many seconds a call may take with all its tries; infinity where that has no bound.

    Unless it is given, there is none where one answer alone may take longer than the default.
    """
    if total_timeout is not None:
        return total_timeout
    return DEFAULT_TOTAL_TIMEOUT if (timeout.read or math.inf) <= DEFAULT_TOTAL_TIMEOUT else math.inf


def bounded_timeout(timeout: httpx.Timeout, left: float) -> httpx.Timeout:
    """Return a timeout of which no part is longer than the seconds that are left."""
    parts = (timeout.connect, timeout.read, timeout.write, timeout.pool)
    if all((math.inf if part is None else part) <= left for part in parts):
        return timeout
    connect, read, write, pool = (left if part is None else min(part, left) for part in parts)
    return httpx.Timeout(connect=connect, read=read, write=write, pool=pool)


def out_of_time(total: float) -> ArpTimeoutError:
    """The error of a call that has had all its time."""
    return ArpTimeoutError("timeout", f"The call took longer than {total:g} seconds in total.")


def stream_timeout(timeout: httpx.Timeout, *, silent: bool = False) -> httpx.Timeout:
    """Return a client's timeout as it is for streams: they may be silent for longer, and `silent` ones for ever."""
    read = None if timeout.read is None or silent else max(timeout.read, SILENCE_TIMEOUT)
    return httpx.Timeout(connect=timeout.connect, read=read, write=timeout.write, pool=timeout.pool)


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine, by its name or address alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def map_httpx_errors() -> Iterator[None]:
    """Raise what httpx raises as one of our own errors."""
    try:
        yield
    except (httpx.RequestError, httpx.InvalidURL) as exc:
        # A complaint about a header has its value, which may be a secret.
        raise _translated(exc) from (None if _HEADER_VALUE in str(exc) else exc)


def _translated(exc: httpx.RequestError | httpx.InvalidURL) -> ArpApiError:
    message = str(exc) or type(exc).__name__
    if isinstance(exc, _BAD_REQUEST):
        told, of_a_header, _ = message.partition(_HEADER_VALUE)
        return ArpRequestError("invalid_request", told + of_a_header)
    if isinstance(exc, _NOT_SENT):
        reason = _ERRNO.sub("", message)
        return ArpConnectionError("connection_failed", f"There is no connection to {_address(exc)}: {reason}")
    if isinstance(exc, httpx.TimeoutException):
        return ArpTimeoutError("timeout", f"The service did not answer in time ({message}).")
    if isinstance(exc, _BAD_ANSWER):
        return ArpResponseError("invalid_response", message)
    return ArpConnectionError("connection_lost", message)


def _address(exc: httpx.RequestError) -> str:
    """Return the address that was called, without names and secrets that it may hold."""
    try:
        url = exc.request.url
    except RuntimeError:  # httpx has not been told of the request
        return "the service"
    return f"{url.scheme}://{url.netloc.decode()}"
