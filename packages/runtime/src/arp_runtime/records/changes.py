"""What happens to runs, as values: told by the run manager, once and in order (`arp_runtime.records.chronicle`)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from arp_model import TraceLevel  # noqa: TC001 - stored TraceTold are decoded by their annotations

if TYPE_CHECKING:
    from arp_model import RunEvent, RunRequest, RunState


class RunTaken(NamedTuple):
    """A run was accepted. `digest` is the same for equal requests."""

    run_id: str
    at: datetime
    digest: bytes
    request: RunRequest


class RunBegan(NamedTuple):
    """Its agent is called."""

    run_id: str
    at: datetime


class EventTold(NamedTuple):
    """The next event of a run; `encoded` is the event as JSON."""

    run_id: str
    event: RunEvent
    encoded: bytes


class RunEnded(NamedTuple):
    """A run has reached its final state; its last event was told just before. `result` is the RunResult as JSON."""

    run_id: str
    at: datetime
    state: RunState
    result: bytes
    began_at: datetime | None


class TraceTold(NamedTuple):
    """Something of a run that is for its trace alone."""

    run_id: str
    at: datetime
    level: TraceLevel
    type: str
    data: dict[str, Any]


class RunForgotten(NamedTuple):
    """An ended run is too old to be kept any longer."""

    run_id: str


Change = RunTaken | RunBegan | EventTold | RunEnded | TraceTold | RunForgotten
