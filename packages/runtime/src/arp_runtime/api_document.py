"""What the runtime does within the contract, for the document that it serves."""

from __future__ import annotations

from arp_runtime.runs.events import CURSOR_PATTERN
from arp_service.admission import TokenUse
from arp_service.api_document import ApiDocument
from arp_service.event_stream import MAX_SEQ, SEEN_PATTERN
from arp_service.overlay import ANY_TEXT, ID, Overlay, links
from arp_service.run_batch import MAX_BATCH_BYTES

_OF_RUN = ("get_run_status", "get_run_result", "get_run_trace", "stream_run_events", "cancel_run")
_ITS_RUN = "$response.body#/run_id"

OVERLAY = Overlay(
    narrowed={
        "components/schemas/RunRequest/properties/run_id": ID,
        "components/schemas/RunRequest/properties/runtime_selector/properties/runtime_api_endpoint": ANY_TEXT,
        "components/parameters/After/schema": {"maximum": MAX_SEQ},
        "components/parameters/LastEventId/schema": {"pattern": SEEN_PATTERN},
        "components/parameters/AfterCursor/schema": {"pattern": CURSOR_PATTERN},
        "components/parameters/LastEventCursor/schema": {"pattern": f"{CURSOR_PATTERN}|^$"},
    },
    refusals={
        "create_run": (409, 503),
        "create_runs": (503,),
        "get_run_status": (404,),
        "get_run_result": (404, 409),
        "get_run_trace": (404,),
        "cancel_run": (404, 503),
        "stream_run_events": (404,),
        "stream_events": (410,),
    },
    links={
        "create_run": links(*_OF_RUN, run_id=_ITS_RUN),
        "get_run_status": links("cancel_run", "get_run_result", run_id=_ITS_RUN),
        "cancel_run": links("get_run_status", "get_run_result", "stream_run_events", run_id=_ITS_RUN),
        "get_run_result": links("get_run_trace", run_id=_ITS_RUN),
    },
    max_body_bytes={"create_runs": MAX_BATCH_BYTES},
)


def api_document(who_gets_in: str, token: TokenUse = TokenUse.IGNORED) -> ApiDocument:
    """The document of a runtime that lets these in."""
    return ApiDocument("arp_runtime", OVERLAY, who_gets_in, token)
