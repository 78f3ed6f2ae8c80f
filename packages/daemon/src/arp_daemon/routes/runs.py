"""Runs: submit, list, status, result, trace, events, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Raw
from starlette.routing import Route

from arp_daemon.run_log import RunLog
from arp_daemon.runs import record_status
from arp_daemon.trace import make_trace
from arp_model import Pagination, RunListResponse, RunRequest
from arp_service.body import read_struct
from arp_service.errors import InvalidPageTokenError
from arp_service.event_stream import read_after, stream_response, wants_json_lines
from arp_service.ids import check_id
from arp_service.paging import page_token, read_page
from arp_service.responses import StructResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from arp_daemon.daemon import Daemon

_PAGES_OF = "runs"
# A trace is one answer: of a longer run it tells the first events; the rest is in the event stream.
_MAX_TRACE_EVENTS = 10_000


def run_routes(daemon: Daemon) -> list[Route]:
    """The routes of runs, bound to a daemon."""

    async def submit_run(request: Request) -> Response:
        daemon.stop.check()
        body = await read_struct(request, RunRequest)
        return StructResponse(await daemon.runs.submit(body, daemon.admission.check), 202)

    async def list_runs(request: Request) -> Response:
        page = read_page(request, _PAGES_OF)
        before = None if page.after is None else _position(page.after)
        records = await daemon.store.list_runs(page.size + 1, before)
        shown = records[: page.size]
        more = len(records) > page.size
        pagination = Pagination(
            page_size=page.size,
            next_page_token=page_token(_PAGES_OF, str(shown[-1].position)) if more else UNSET,
        )
        return StructResponse(RunListResponse(runs=[record_status(r) for r in shown], pagination=pagination))

    async def get_run_status(request: Request) -> Response:
        return StructResponse(await daemon.runs.status(_run_id(request)))

    async def get_run_result(request: Request) -> Response:
        return StructResponse(Raw(await daemon.runs.result(_run_id(request))))

    async def get_run_trace(request: Request) -> Response:
        record = await daemon.runs.record(_run_id(request))
        attempts = await daemon.store.list_attempts(record.position)
        events = await daemon.store.list_events(record.position, 0, _MAX_TRACE_EVENTS)
        return StructResponse(make_trace(record, attempts, events))

    async def stream_run_events(request: Request) -> Response:
        record = await daemon.runs.record(_run_id(request))
        log = RunLog(daemon.runs, daemon.store, record.run_id, record.position)
        return stream_response(log, read_after(request) + 1, daemon.stop, as_json_lines=wants_json_lines(request))

    async def cancel_run(request: Request) -> Response:
        return StructResponse(await daemon.dispatcher.cancel(_run_id(request)))

    return [
        Route("/v1/runs", submit_run, methods=["POST"]),
        Route("/v1/runs", list_runs),
        Route("/v1/runs/{run_id:id}", get_run_status),
        Route("/v1/runs/{run_id:id}/result", get_run_result),
        Route("/v1/runs/{run_id:id}/trace", get_run_trace),
        Route("/v1/runs/{run_id:id}/events", stream_run_events),
        Route("/v1/runs/{run_id:id}:cancel", cancel_run, methods=["POST"]),
    ]


def _run_id(request: Request) -> str:
    return check_id(request.path_params["run_id"], "run_id")


def _position(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise InvalidPageTokenError("page_token: not a token of this list; leave it out to start at the first page.")
