"""Is there an ARP v1 runtime at this endpoint, and is it ours? Asked before anything else is sent there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from msgspec import UNSET

from arp_daemon.errors import RuntimeProbeError
from arp_daemon.transport import runtime_client
from arp_model import Status
from arp_sdk.errors import ArpApiError

if TYPE_CHECKING:
    from arp_daemon.address import Address
    from arp_model import VersionInfo

API_VERSION = "v1"
# Between two looks at a program that is still starting: first soon, then less often.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.5
_PROBE_TIMEOUT_S = 5.0


async def probe(address: Address) -> VersionInfo:
    """Return what the runtime says of itself, if it is healthy.

    Raises:
        RuntimeProbeError: nothing answers, or no healthy ARP v1 runtime.
    """
    try:
        with anyio.fail_after(_PROBE_TIMEOUT_S):
            async with runtime_client(address) as client:
                health = await client.health()
                version = await client.version()
    except TimeoutError as exc:
        raise RuntimeProbeError(f"{address.endpoint} did not answer within {_PROBE_TIMEOUT_S:.0f} s.") from exc
    except ArpApiError as exc:
        raise RuntimeProbeError(f"{address.endpoint} does not answer as an ARP runtime: {exc}.") from exc
    if health.status is Status.DOWN:
        raise RuntimeProbeError(f"{address.endpoint} says of itself that it is down.")
    if API_VERSION not in version.supported_api_versions:
        raise RuntimeProbeError(f"{address.endpoint} does not speak ARP {API_VERSION}.")
    return version


async def is_healthy(address: Address, timeout_s: float) -> bool:
    """Whether the runtime answers in time and does not say that it is down."""
    try:
        with anyio.fail_after(timeout_s):
            async with runtime_client(address) as client:
                return (await client.health()).status is not Status.DOWN
    except (TimeoutError, ArpApiError):
        return False


async def until_healthy(address: Address, nonce: str) -> VersionInfo:
    """Probe until the launched program answers; the caller bounds it.

    Raises:
        RuntimeProbeError: another program answers there: it announces another nonce.
    """
    pause = _FIRST_LOOK_S
    while True:
        try:
            version = await probe(address)
        except RuntimeProbeError:
            await anyio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK_S)
        else:
            check_nonce(version, nonce, address)
            return version


def check_nonce(version: VersionInfo, nonce: str | None, address: Address) -> None:
    """Refuse a runtime that announces a nonce other than the one it was launched with."""
    announced = None if version.extensions is UNSET else version.extensions.get("arp.nonce")
    if nonce is not None and announced is not None and announced != nonce:
        raise RuntimeProbeError(f"Another program than the launched one answers at {address.endpoint}.")
