"""What Prometheus may ask: runs by state, queue, durations, events, tool calls, tokens.

Counted from the changes that the run manager tells; what is true of this moment is asked of it when somebody looks.
What happens several times a run is counted in plain numbers, which become metrics when somebody looks: a Counter of
prometheus_client has a lock, and takes ten times as long.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response
from starlette.routing import Route

from arp_model import UNSET, RunEventType, RunState
from arp_runtime.records.changes import EventTold, RunEnded, RunTaken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from arp_model import RunEvent
    from arp_runtime.records.changes import Change
    from arp_runtime.runs.manager import RunManager

_NOT_CALLED = frozenset({"tool_denied", "tool_not_found"})
# From an agent that answers at once to one that works for an hour; seconds.
_DURATIONS = (0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600)


class Metrics(Collector):
    """One registry a runtime; `read` hears of changes."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._taken = 0
        self._ended: Counter[RunState] = Counter()
        self._events = dict.fromkeys(RunEventType, 0)
        self._tool_calls: Counter[tuple[str, str]] = Counter()
        registry.register(self)
        self._duration = Histogram(
            "arp_run_duration_seconds",
            "From the call of the agent to the end of its run.",
            ["state"],
            buckets=_DURATIONS,
            registry=registry,
        )

    def read(self, change: Change) -> None:
        """Count a change."""
        if isinstance(change, EventTold):  # most of them, so it is asked first, and of nothing else
            type_ = change.event.type_
            self._events[type_] += 1
            if type_ is RunEventType.TOOL_RESULT:
                self._count_tool_call(change.event)
        elif isinstance(change, RunTaken):
            self._taken += 1
        elif isinstance(change, RunEnded):
            self._ended[change.state] += 1
            if change.began_at is not None:
                self._duration.labels(change.state.value).observe((change.at - change.began_at).total_seconds())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """See `Collector`."""
        yield CounterMetricFamily("arp_runs_taken", "Runs that were accepted.", self._taken)
        ended = CounterMetricFamily("arp_runs_ended", "Runs that have ended, by state.", labels=["state"])
        for state, count in self._ended.items():
            ended.add_metric([state.value], count)
        yield ended
        events = CounterMetricFamily("arp_run_events", "Run events, by type.", labels=["type"])
        for type_, count in self._events.items():
            events.add_metric([type_.value], count)
        yield events
        what = "Calls of tools that have ended, by outcome."
        calls = CounterMetricFamily("arp_tool_calls", what, labels=["tool_id", "outcome"])
        for named, count in self._tool_calls.items():
            calls.add_metric(named, count)
        yield calls

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
        self._tool_calls[tool_id, "ok" if data.get("ok") is True else "error"] += 1
