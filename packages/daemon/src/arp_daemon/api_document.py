"""What the daemon does within the contract, for the document that it serves."""

from __future__ import annotations

from arp_daemon.endpoint import ENDPOINT_PATTERN, URL_PATTERN
from arp_daemon.run_filter import LABEL_PATTERN
from arp_service.admission import TokenUse
from arp_service.api_document import ApiDocument
from arp_service.event_stream import MAX_SEQ, SEEN_PATTERN
from arp_service.overlay import ANY_TEXT, ID, Overlay, link, links
from arp_service.run_batch import MAX_BATCH_BYTES

_OF_RUN = ("get_run_status", "get_run_result", "get_run_trace", "stream_run_events", "cancel_run")
_ITS_RUN = "$response.body#/run_id"
_ITS_PROFILE = "$response.body#/runtime_profile"
_FIRST_INSTANCE = "$response.body#/instances/0/instance_id"
_URL = {"pattern": URL_PATTERN}
_NEXT_PAGE = {"page_token": "$response.body#/pagination/next_page_token"}
_FILTERS = ("state", "runtime_profile", "label", "created_after", "created_before")
_BY_FILTER = {"anyOf": [{"required": [name]} for name in _FILTERS]}

OVERLAY = Overlay(
    narrowed={
        "components/schemas/RunRequest/properties/run_id": ID,
        "components/schemas/RunRequest/properties/runtime_selector/properties/runtime_api_endpoint": ANY_TEXT,
        "components/schemas/RuntimeProfileUpsertRequest": {"minProperties": 1},
        "components/schemas/RuntimeProfileUpsertRequest/properties/defaults/properties/tool_registry_url": _URL,
        "components/schemas/InstanceCreateRequest/properties/overrides/properties/tool_registry_url": _URL,
        "components/schemas/InstanceRegisterRequest/properties/runtime_api_endpoint": {"pattern": ENDPOINT_PATTERN},
        # More than a profile can allow; most allow less.
        "components/schemas/InstanceCreateRequest/properties/count": {"maximum": 1000},
        # By a filter, or all of them: never both, and never neither. (Code generators make types of a oneOf.)
        "components/schemas/RunCancelRequest": {
            "if": {"required": ["all"], "properties": {"all": {"const": True}}},
            "then": {"not": _BY_FILTER},
            "else": _BY_FILTER,
        },
        "components/schemas/RunCancelRequest/properties/label/items": {"pattern": LABEL_PATTERN},
        "components/parameters/Label/schema/items": {"pattern": LABEL_PATTERN},
        "components/parameters/After/schema": {"maximum": MAX_SEQ},
        "components/parameters/LastEventId/schema": {"pattern": SEEN_PATTERN},
    },
    refusals={
        "create_instances": (404, 409, 422, 503),
        "register_instance": (422, 503),
        "delete_instance": (404, 503),
        "drain_instance": (404, 503),
        "get_instance_logs": (404, 503),
        "upsert_runtime_profile": (503,),
        "delete_runtime_profile": (404, 409, 503),
        "restart_runtime_profile": (404, 422, 503),
        "submit_run": (404, 409, 429, 503),
        "submit_runs": (503,),
        "list_runs": (503,),
        "cancel_runs": (503,),
        "get_run_status": (404, 503),
        "get_run_result": (404, 409, 503),
        "get_run_trace": (404, 503),
        "stream_run_events": (404, 503),
        "cancel_run": (404, 503),
    },
    links={
        "submit_run": links(*_OF_RUN, run_id=_ITS_RUN),
        "list_runs": {
            **links(*_OF_RUN, run_id="$response.body#/runs/0/run_id"),
            "list_runs": link("list_runs", parameters=_NEXT_PAGE),
        },
        "get_run_status": links("cancel_run", "get_run_result", run_id=_ITS_RUN),
        "cancel_run": links("get_run_status", "get_run_result", "stream_run_events", run_id=_ITS_RUN),
        "get_run_result": links("get_run_trace", run_id=_ITS_RUN),
        "upsert_runtime_profile": {
            "create_instances": link("create_instances", body={"runtime_profile": _ITS_PROFILE}),
            **links("restart_runtime_profile", "delete_runtime_profile", runtime_profile=_ITS_PROFILE),
        },
        "restart_runtime_profile": links("delete_runtime_profile", runtime_profile=_ITS_PROFILE),
        "list_runtime_profiles": {
            "create_instances": link(
                "create_instances", body={"runtime_profile": "$response.body#/profiles/0/runtime_profile"}
            ),
            "list_runtime_profiles": link("list_runtime_profiles", parameters=_NEXT_PAGE),
        },
        "create_instances": links(
            "get_instance_logs", "drain_instance", "delete_instance", instance_id=_FIRST_INSTANCE
        ),
        "list_instances": links("get_instance_logs", instance_id=_FIRST_INSTANCE),
        "register_instance": links("delete_instance", instance_id="$response.body#/instance/instance_id"),
        "drain_instance": links("delete_instance", "get_instance_logs", instance_id="$response.body#/instance_id"),
    },
    max_body_bytes={"submit_runs": MAX_BATCH_BYTES},
)


def api_document(who_gets_in: str, token: TokenUse = TokenUse.IGNORED) -> ApiDocument:
    """The document of a daemon that lets these in."""
    return ApiDocument("arp_daemon", OVERLAY, who_gets_in, token)
