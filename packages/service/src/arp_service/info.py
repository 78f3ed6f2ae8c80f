"""Health and version: the two operations that every ARP service has."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from starlette.routing import Route

from arp_model import Health, HealthChecksItem, Status, VersionInfo
from arp_service.admission import is_stranger
from arp_service.responses import StructResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

API_VERSIONS = ["v1"]
_WORST_FIRST = (Status.DOWN, Status.DEGRADED)


@cache
def version_of(distribution: str) -> str:
    """The version of an installed distribution, as this process has first seen it."""
    return metadata.version(distribution)


@dataclass(frozen=True)
class ServiceInfo:
    """What a service says of itself."""

    service_name: str
    distribution: str
    features: tuple[str, ...] = ()
    extensions: dict[str, Any] = field(default_factory=dict)

    def version_info(self, *, public: bool = False) -> VersionInfo:
        """The answer of `GET /v1/version`; it does not change while the process lives. What is public has no more than
        any process of its kind has.
        """
        return VersionInfo(
            service_name=self.service_name,
            service_version=version_of(self.distribution),
            supported_api_versions=API_VERSIONS,
            extensions={"arp.features": list(self.features), **({} if public else self.extensions)},
        )


def info_routes(info: ServiceInfo, checks: Callable[[], Awaitable[list[HealthChecksItem]]]) -> list[Route]:
    """The routes `health` and `version`. `checks` must answer soon; the worst of them is the service's status.

    Strangers, where they get to ask, learn neither what the checks have found nor what is this process's own.
    """
    answer, public_answer = StructResponse(info.version_info()), StructResponse(info.version_info(public=True))

    async def health(request: Request) -> StructResponse:
        items = await checks()
        told = UNSET if is_stranger(request.scope) else items
        return StructResponse(Health(status=worst(items), time=utc_now(), checks=told))

    async def version(request: Request) -> StructResponse:
        return public_answer if is_stranger(request.scope) else answer

    return [Route("/v1/health", health), Route("/v1/version", version)]


def worst(checks: list[HealthChecksItem]) -> Status:
    """The worst status of all checks; ok where there are none."""
    found = {check.status for check in checks}
    return next((status for status in _WORST_FIRST if status in found), Status.OK)


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(timezone.utc)
