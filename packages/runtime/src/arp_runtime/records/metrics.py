"""What Prometheus may ask: runs by state, queue, durations, events, tool calls, tokens.

Counted from the changes that the run manager tells; what is true of this moment is asked of it when somebody looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response
from starlette.routing import Route

from arp_model import UNSET, RunEventType
from arp_runtime.records.changes import EventTold, RunEnded, RunTaken

if TYPE_CHECKING:
    from starlette.requests import Request

    from arp_model import RunEvent
    from arp_runtime.records.changes import Change
    from arp_runtime.runs.manager import RunManager

_NOT_CALLED = frozenset({"tool_denied", "tool_not_found"})
# From an agent that answers at once to one that works for an hour; seconds.
_DURATIONS = (0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Metrics:
    """One registry a runtime; `read` hears of changes."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._taken = Counter("arp_runs_taken", "Runs that were accepted.", registry=registry)
        self._ended = Counter("arp_runs_ended", "Runs that have ended, by state.", ["state"], registry=registry)
        self._duration = Histogram(
            "arp_run_duration_seconds",
            "From the call of the agent to the end of its run.",
            ["state"],
            buckets=_DURATIONS,
            registry=registry,
        )
        events = Counter("arp_run_events", "Run events, by type.", ["type"], registry=registry)
        self._events = {type_: events.labels(type_.value) for type_ in RunEventType}
        self._tool_calls = Counter(
            "arp_tool_calls", "Calls of tools that have ended, by outcome.", ["tool_id", "outcome"], registry=registry
        )

    def read(self, change: Change) -> None:
        """Count a change."""
        match change:
            case EventTold(_, event):
                self._events[event.type_].inc()
                if event.type_ is RunEventType.TOOL_RESULT:
                    self._count_tool_call(event)
            case RunTaken():
                self._taken.inc()
            case RunEnded(_, at, state, _, began_at):
                self._ended.labels(state.value).inc()
                if began_at is not None:
                    self._duration.labels(state.value).observe((at - began_at).total_seconds())

    def ask(self, runs: RunManager) -> None:
        """Have the run manager asked for what is true of each moment. Call once."""
        for name, text, value in (
            ("arp_runs_executing", "Runs whose agent is at work.", lambda: runs.under_way - runs.waiting),
            ("arp_runs_waiting", "Runs that wait for their turn.", lambda: runs.waiting),
            ("arp_runs_abandoned", "Ended runs whose agent did not stop.", lambda: runs.abandoned),
        ):
            Gauge(name, text, registry=self.registry).set_function(value)

    def route(self) -> Route:
        """`GET /metrics`, in Prometheus' text format."""

        async def metrics(_request: Request) -> Response:
            return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

        return Route("/metrics", metrics)

    def _count_tool_call(self, event: RunEvent) -> None:
        data = {} if event.data is UNSET else event.data
        # An agent may ask for any name; only what was called is a label of its own.
        unknown = isinstance(error := data.get("error"), dict) and error.get("code") in _NOT_CALLED
        tool_id = "" if unknown else str(data.get("tool_id", ""))
        self._tool_calls.labels(tool_id, "ok" if data.get("ok") is True else "error").inc()
