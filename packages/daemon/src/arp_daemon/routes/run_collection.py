"""Runs in the plural: submit, list, cancel by filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from starlette.routing import Route

from arp_daemon.idempotency import HEADER, read_idempotency_key
from arp_daemon.run_filter import filter_of_body, filter_of_query, fingerprint
from arp_daemon.runs import record_status
from arp_daemon.store import ALL_RUNS
from arp_model import (
    Pagination,
    RunBatchResponse,
    RunCancelRequest,
    RunCancelResponse,
    RunListResponse,
    RunRequest,
)
from arp_service.body import read_struct
from arp_service.errors import InvalidPageTokenError, InvalidRequestError
from arp_service.paging import page_token, read_page
from arp_service.responses import StructResponse
from arp_service.run_batch import batch_item, read_run_batch

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from arp_daemon.daemon import Daemon
    from arp_daemon.store import RunFilter


def run_collection_routes(daemon: Daemon) -> list[Route]:
    """The routes of all runs, bound to a daemon."""

    async def submit_run(request: Request) -> Response:
        daemon.stop.check()
        key = read_idempotency_key(request)
        body = await read_struct(request, RunRequest)
        return StructResponse(await daemon.submissions.submit(body, key), 202)

    async def submit_runs(request: Request) -> Response:
        daemon.stop.check()
        if HEADER in request.headers:
            raise InvalidRequestError(f"{HEADER}: is for one run; give each run of a batch a run_id.")
        items = await read_run_batch(request)
        taken = iter(await daemon.submissions.submit_all([item for item in items if isinstance(item, RunRequest)]))
        outcomes = [next(taken) if isinstance(item, RunRequest) else item for item in items]
        return StructResponse(RunBatchResponse(results=[batch_item(outcome) for outcome in outcomes]))

    async def list_runs(request: Request) -> Response:
        wanted = filter_of_query(request.query_params)
        kind = _pages_of(wanted)
        page = read_page(request, kind)
        before = None if page.after is None else _position(page.after)
        records = await daemon.store.list_runs(page.size + 1, before, wanted)
        shown = records[: page.size]
        more = len(records) > page.size
        pagination = Pagination(
            page_size=page.size,
            next_page_token=page_token(kind, str(shown[-1].position)) if more else UNSET,
        )
        return StructResponse(RunListResponse(runs=[record_status(r) for r in shown], pagination=pagination))

    async def cancel_runs(request: Request) -> Response:
        body = await read_struct(request, RunCancelRequest)
        wanted = filter_of_body(body)
        every = body.all is True
        if every is (wanted != ALL_RUNS):
            raise InvalidRequestError("$: say which runs are to be canceled, by a filter or by all, not by both.")
        dry_run = body.dry_run is True
        canceled = await daemon.cancellation.cancel(wanted, dry_run=dry_run)
        return StructResponse(RunCancelResponse(count=canceled.count, run_ids=canceled.run_ids, dry_run=dry_run))

    return [
        Route("/v1/runs", submit_run, methods=["POST"]),
        Route("/v1/runs", list_runs),
        Route("/v1/runs:batch", submit_runs, methods=["POST"]),
        Route("/v1/runs:cancel", cancel_runs, methods=["POST"]),
    ]


def _pages_of(wanted: RunFilter) -> str:
    """What page tokens are bound to: the list of runs, and its filter."""
    return "runs" if wanted == ALL_RUNS else f"runs.{fingerprint(wanted)}"


def _position(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise InvalidPageTokenError("page_token: not a token of this list; leave it out to start at the first page.")
