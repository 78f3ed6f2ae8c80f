"""The runtime's endpoints. They read requests, ask the RunManager, and write answers; they own nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.routing import Route

from arp_model import RunBatchResponse, RunRequest
from arp_runtime.records.trace_story import make_trace
from arp_runtime.runs.events import check_cursor
from arp_service.body import read_struct
from arp_service.errors import ServiceError
from arp_service.event_stream import EventStream, read_after, wants_json_lines
from arp_service.responses import StructResponse
from arp_service.run_batch import batch_item, read_run_batch

if TYPE_CHECKING:
    from starlette.requests import Request

    from arp_runtime.runs.manager import RunManager
    from arp_runtime.runs.table import Run
    from arp_service.stopping import Stop


class RunRoutes:
    """The operations on runs; each method bears its operationId."""

    def __init__(self, runs: RunManager, stop: Stop) -> None:
        self._runs = runs
        self._stop = stop

    def routes(self) -> list[Route]:
        """All of them, for the app."""
        return [
            Route("/v1/runs", self.create_run, methods=["POST"]),
            Route("/v1/runs:batch", self.create_runs, methods=["POST"]),
            Route("/v1/runs/{run_id:id}", self.get_run_status),
            Route("/v1/runs/{run_id:id}/result", self.get_run_result),
            Route("/v1/runs/{run_id:id}/trace", self.get_run_trace),
            Route("/v1/runs/{run_id:id}:cancel", self.cancel_run, methods=["POST"]),
            Route("/v1/runs/{run_id:id}/events", self.stream_run_events),
            Route("/v1/events", self.stream_events),
        ]

    async def create_run(self, request: Request) -> StructResponse:
        """Take a run; answers at once."""
        run_request = await read_struct(request, RunRequest)
        run = self._runs.create(run_request)
        answer = run.status()
        await self._runs.wait_kept(run)
        return StructResponse(answer)

    async def create_runs(self, request: Request) -> StructResponse:
        """Take many runs, each as if it had come alone."""
        created = [self._create_one(item) for item in await read_run_batch(request)]
        answer = RunBatchResponse(
            results=[batch_item(run if isinstance(run, ServiceError) else run.status()) for run in created]
        )
        for run in created:
            if not isinstance(run, ServiceError):
                await self._runs.wait_kept(run)
        return StructResponse(answer)

    async def get_run_status(self, request: Request) -> StructResponse:
        """How far a run is."""
        return StructResponse(self._runs.get(_run_id(request)).status())

    async def get_run_result(self, request: Request) -> StructResponse:
        """What came out of a run that has ended."""
        return StructResponse(msgspec.Raw(self._runs.get_result(_run_id(request))))

    async def get_run_trace(self, request: Request) -> StructResponse:
        """What is told of a run for whoever wants to understand it."""
        return StructResponse(make_trace(self._runs.get(_run_id(request))))

    async def cancel_run(self, request: Request) -> StructResponse:
        """Stop a run; one that has ended stays as it is."""
        run = await self._runs.cancel(_run_id(request))
        return StructResponse(run.status())

    async def stream_run_events(self, request: Request) -> EventStream:
        """A run's events, from the start or after one that was seen, to the last."""
        log = self._runs.get(_run_id(request)).log
        return EventStream(log, read_after(request) + 1, self._stop, as_json_lines=wants_json_lines(request))

    async def stream_events(self, request: Request) -> EventStream:
        """All runs' events in the order in which they happened; it does not end."""
        after, seen = request.query_params.get("after"), request.headers.get("last-event-id")
        asked = None if after is None else check_cursor(after)
        return EventStream(self._runs.feed, self._runs.feed.position_after(seen or asked), self._stop)

    def _create_one(self, item: RunRequest | ServiceError) -> Run | ServiceError:
        try:
            return item if isinstance(item, ServiceError) else self._runs.create(item)
        except ServiceError as error:
            return error


def _run_id(request: Request) -> str:
    run_id: str = request.path_params["run_id"]
    return run_id
