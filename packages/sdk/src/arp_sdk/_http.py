"""The seam to httpx: how its clients are made, and what its exceptions mean here."""

from __future__ import annotations

import ipaddress
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx

from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpRequestError, ArpResponseError, ArpTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long a call may take, in seconds, unless the client says otherwise.
DEFAULT_TIMEOUT = httpx.Timeout(30.0, connect=5.0)

# How long a stream may be silent, in seconds, before it is taken for dead.
SILENCE_TIMEOUT = 60.0

__version__ = version("arp-standard-py")

# Nothing was sent.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# The request itself cannot be sent.
_BAD_REQUEST = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
# Something answered, but it cannot be read.
_BAD_ANSWER = (httpx.DecodingError, httpx.TooManyRedirects)


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
    if is_loopback(url.host):
        # A proxy from the environment leads away from this machine; it can't reach what listens here.
        host = f"[{url.host}]" if ":" in url.host else url.host
        options["mounts"] = {f"all://{host}": None}
    return {**options, **(httpx_args or {})}


def _base_url(base_url: str | None) -> httpx.URL:
    try:
        url = httpx.URL(base_url or "")
    except httpx.InvalidURL as exc:
        raise ValueError(f"base_url {base_url!r} is no address: {exc}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"base_url must be an http or https address, not {base_url!r}")
    return url


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
        raise _translated(exc) from exc


def _translated(exc: httpx.RequestError | httpx.InvalidURL) -> ArpApiError:
    message = str(exc) or type(exc).__name__
    if isinstance(exc, _BAD_REQUEST):
        return ArpRequestError("invalid_request", message)
    if isinstance(exc, _NOT_SENT):
        return ArpConnectionError("connection_failed", message)
    if isinstance(exc, httpx.TimeoutException):
        return ArpTimeoutError("timeout", f"The service did not answer in time ({message}).")
    if isinstance(exc, _BAD_ANSWER):
        return ArpResponseError("invalid_response", message)
    return ArpConnectionError("connection_lost", message)
