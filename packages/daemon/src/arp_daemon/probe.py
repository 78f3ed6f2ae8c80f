"""Is there an ARP v1 runtime at this endpoint, and is it ours? Asked before anything else is sent there."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from msgspec import UNSET

from arp_daemon.errors import EndpointNotAllowedError, RuntimeProbeError
from arp_daemon.relay import NO_AUTHORITIES
from arp_model import Status
from arp_sdk.errors import ArpApiError
from arp_sdk.runtime import AsyncRuntimeClient
from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from arp_model import VersionInfo

API_VERSION = "v1"
# Between two looks at a program that is still starting: first soon, then less often.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.5
_PROBE_TIMEOUT_S = 5.0


def check_endpoint(url: str) -> None:
    """Refuse an endpoint that the operator does not allow: anything but http on a loopback number or `localhost`.

    Raises:
        InvalidRequestError: it is no http URL of a host and a port.
        EndpointNotAllowedError: it leads elsewhere.
    """
    place = "$.runtime_api_endpoint"
    if any(ord(character) < 0x21 or ord(character) == 0x7F for character in url):
        raise InvalidRequestError(f"{place}: a URL has no spaces and no control characters.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as exc:
        raise InvalidRequestError(f"{place}: {url[:100]!r} is not a URL.") from exc
    if parts.scheme != "http" or not host or parts.username or parts.query or parts.fragment:
        raise InvalidRequestError(f"{place}: use a base URL like http://127.0.0.1:8081.")
    if host != "localhost" and not _is_loopback_number(host):
        raise EndpointNotAllowedError(
            f"{place}: only endpoints on this machine (127.0.0.1, ::1, localhost) may be used."
        )


async def probe(endpoint: str) -> VersionInfo:
    """Return what the runtime says of itself, if it is healthy.

    Raises:
        RuntimeProbeError: nothing answers, or no healthy ARP v1 runtime.
    """
    try:
        with anyio.fail_after(_PROBE_TIMEOUT_S):
            async with AsyncRuntimeClient(base_url=endpoint, verify_ssl=NO_AUTHORITIES) as client:
                health = await client.health()
                version = await client.version()
    except TimeoutError as exc:
        raise RuntimeProbeError(f"{endpoint} did not answer within {_PROBE_TIMEOUT_S:.0f} s.") from exc
    except ArpApiError as exc:
        raise RuntimeProbeError(f"{endpoint} does not answer as an ARP runtime: {exc}.") from exc
    if health.status is Status.DOWN:
        raise RuntimeProbeError(f"{endpoint} says of itself that it is down.")
    if API_VERSION not in version.supported_api_versions:
        raise RuntimeProbeError(f"{endpoint} does not speak ARP {API_VERSION}.")
    return version


async def is_healthy(endpoint: str, timeout_s: float) -> bool:
    """Whether the runtime answers in time and does not say that it is down."""
    try:
        with anyio.fail_after(timeout_s):
            async with AsyncRuntimeClient(base_url=endpoint, verify_ssl=NO_AUTHORITIES) as client:
                return (await client.health()).status is not Status.DOWN
    except (TimeoutError, ArpApiError):
        return False


async def until_healthy(endpoint: str, nonce: str) -> VersionInfo:
    """Probe until the launched program answers; the caller bounds it.

    Raises:
        RuntimeProbeError: another program answers there: it announces another nonce.
    """
    pause = _FIRST_LOOK_S
    while True:
        try:
            version = await probe(endpoint)
        except RuntimeProbeError:
            await anyio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK_S)
        else:
            check_nonce(version, nonce, endpoint)
            return version


def check_nonce(version: VersionInfo, nonce: str | None, endpoint: str) -> None:
    """Refuse a runtime that announces a nonce other than the one it was launched with."""
    announced = None if version.extensions is UNSET else version.extensions.get("arp.nonce")
    if nonce is not None and announced is not None and announced != nonce:
        raise RuntimeProbeError(f"Another program than the launched one answers at {endpoint}.")


def _is_loopback_number(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
