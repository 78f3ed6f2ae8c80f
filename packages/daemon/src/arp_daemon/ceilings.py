"""What a profile lets a run take at most: ceilings for its limits. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from arp_model import RunRequest, RunRequestLimits
from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from datetime import datetime

    from arp_daemon.exec_spec import AnyExec


# Some thirty years, as in our runtime; the clock's arithmetic needs an end.
_MAX_TIMEOUT_MS = 10**12


class _Limited(msgspec.Struct):
    limits: RunRequestLimits | UnsetType = UNSET


_decoder = msgspec.json.Decoder(_Limited)


class Ceilings(msgspec.Struct, frozen=True):
    """None where there is none."""

    timeout_ms: int | None = None
    max_steps: int | None = None
    max_tokens: int | None = None

    def check(self, limits: RunRequestLimits | UnsetType) -> None:
        """Refuse limits that reach higher.

        Raises:
            InvalidRequestError: naming the limit and its ceiling.
        """
        if limits is UNSET:
            return
        for name, ceiling in self._given().items():
            asked = getattr(limits, name)
            if asked is not UNSET and asked > ceiling:
                raise InvalidRequestError(
                    f"$.limits.{name}: {asked} is over the profile's ceiling of {ceiling}.",
                    details={"place": f"$.limits.{name}", "ceiling": ceiling},
                )

    def put_on(self, request: bytes) -> bytes:
        """The request as it is sent to an instance: a limit that it leaves open is its ceiling."""
        given = self._given()
        if not given:
            return request
        run = RunRequest.from_json(request)
        limits = RunRequestLimits() if run.limits is UNSET else run.limits
        for name, ceiling in given.items():
            if getattr(limits, name) is UNSET:
                setattr(limits, name, ceiling)
        run.limits = limits
        return run.to_json()

    def deadline(self, limits: RunRequestLimits | UnsetType, began_at: datetime) -> datetime | None:
        """When a run's time is over, by its own limit or the ceiling. None: it may take as long as it likes."""
        timeout_ms = self.timeout_ms if limits is UNSET or limits.timeout_ms is UNSET else limits.timeout_ms
        if timeout_ms is None or timeout_ms > _MAX_TIMEOUT_MS:
            return None
        return began_at + timedelta(milliseconds=timeout_ms)

    def _given(self) -> dict[str, int]:
        every = {"timeout_ms": self.timeout_ms, "max_steps": self.max_steps, "max_tokens": self.max_tokens}
        return {name: ceiling for name, ceiling in every.items() if ceiling is not None}


def limits_of(request: bytes) -> RunRequestLimits | UnsetType:
    """The limits of a stored request."""
    return _decoder.decode(request).limits


def ceilings_of(spec: AnyExec | None) -> Ceilings:
    """The ceilings that a profile's launch details set."""
    if spec is None:
        return Ceilings()
    return Ceilings(spec.max_timeout_ms, spec.max_steps, spec.max_tokens)
