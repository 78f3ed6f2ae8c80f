"""One run: its status, result, trace and events, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw
from starlette.routing import Route

from arp_daemon.run_log import RunLog
from arp_service.errors import InvalidRequestError
from arp_service.event_stream import EventStream, read_after, wants_json_lines
from arp_service.ids import check_id
from arp_service.responses import StructResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from arp_daemon.daemon import Daemon


def run_routes(daemon: Daemon) -> list[Route]:
    """The routes of one run each, bound to a daemon."""

    async def get_run_status(request: Request) -> Response:
        return StructResponse(await daemon.runs.status(_run_id(request)))

    async def get_run_result(request: Request) -> Response:
        return StructResponse(Raw(await daemon.runs.result(_run_id(request))))

    async def get_run_trace(request: Request) -> Response:
        return StructResponse(await daemon.traces.read(_run_id(request)))

    async def stream_run_events(request: Request) -> Response:
        run_id = _run_id(request)
        run = daemon.runs.find_open(run_id)
        stored_at = run.position if run is not None else (await daemon.runs.record(run_id)).position
        return EventStream(
            RunLog(daemon.runs, daemon.store, run_id, stored_at),
            read_after(request) + 1,
            daemon.stop,
            as_json_lines=wants_json_lines(request),
            on_left=_on_left(request, lambda: daemon.cancellation.watcher_left(run_id)),
        )

    async def cancel_run(request: Request) -> Response:
        return StructResponse(await daemon.dispatcher.cancel(_run_id(request)))

    return [
        Route("/v1/runs/{run_id:id}", get_run_status),
        Route("/v1/runs/{run_id:id}/result", get_run_result),
        Route("/v1/runs/{run_id:id}/trace", get_run_trace),
        Route("/v1/runs/{run_id:id}/events", stream_run_events),
        Route("/v1/runs/{run_id:id}:cancel", cancel_run, methods=["POST"]),
    ]


def _run_id(request: Request) -> str:
    return check_id(request.path_params["run_id"], "run_id")


def _on_left(request: Request, cancel: Callable[[], None]) -> Callable[[], None] | None:
    """What `?on_disconnect=` asks for; without it a watcher that leaves changes nothing."""
    asked = request.query_params.getlist("on_disconnect")
    if asked not in ([], ["cancel"]):
        raise InvalidRequestError("on_disconnect: use cancel, or leave it out.")
    return cancel if asked else None
