"""Is there an ARP v1 runtime at this endpoint, and is it ours? Asked before anything else is sent there."""

from __future__ import annotations

from enum import Enum
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
# The check by which our runtime says that work goes on whose run has ended.
_STRAY_WORK = "abandoned_agents"


async def probe(address: Address, timeout_s: float = _PROBE_TIMEOUT_S) -> VersionInfo:
    """Return what the runtime says of itself, if it is healthy.

    Raises:
        RuntimeProbeError: nothing answers, or no healthy ARP v1 runtime.
    """
    try:
        with anyio.fail_after(timeout_s):
            async with runtime_client(address) as client:
                health = await client.health()
                version = await client.version()
    except TimeoutError as exc:
        raise RuntimeProbeError(f"{address.endpoint} did not answer within {timeout_s:.0f} s.") from exc
    except ArpApiError as exc:
        raise RuntimeProbeError(f"{address.endpoint} does not answer as an ARP runtime: {exc}.") from exc
    if health.status is Status.DOWN:
        raise RuntimeProbeError(f"{address.endpoint} says of itself that it is down.")
    if API_VERSION not in version.supported_api_versions:
        raise RuntimeProbeError(f"{address.endpoint} does not speak ARP {API_VERSION}.")
    return version


class Condition(Enum):
    """How an instance is, at one look."""

    WELL = "well"
    SPENT = "spent"
    """It answers, but some of its work cannot be stopped: it takes no more runs, and is to be replaced."""
    SILENT = "silent"
    """It does not answer in time, or says that it is down."""


async def look_at(address: Address, timeout_s: float) -> Condition:
    """Ask the runtime how it is."""
    try:
        with anyio.fail_after(timeout_s):
            async with runtime_client(address) as client:
                health = await client.health()
    except (TimeoutError, ArpApiError):
        return Condition.SILENT
    if health.status is Status.DOWN:
        return Condition.SILENT
    checks = {check.name: check.status for check in health.checks or ()}
    return Condition.SPENT if checks.get(_STRAY_WORK, Status.OK) is not Status.OK else Condition.WELL


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
