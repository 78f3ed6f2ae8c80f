"""The daemon API's clients, and the types that they take and give."""

from __future__ import annotations

from arp_model import (
    Health,
    InstanceCreateRequest,
    InstanceCreateResponse,
    InstanceListResponse,
    InstanceRegisterRequest,
    InstanceRegisterResponse,
    RunBatchItem,
    RunBatchRequest,
    RunBatchResponse,
    RunCancelRequest,
    RunCancelResponse,
    RunEvent,
    RunListResponse,
    RunRequest,
    RunResult,
    RunState,
    RunStatus,
    RuntimeInstance,
    RuntimeProfile,
    RuntimeProfileListResponse,
    RuntimeProfileUpsertRequest,
    TraceResponse,
    VersionInfo,
)
from arp_sdk._instance_logs import AsyncInstanceLogs, SyncInstanceLogs
from arp_sdk._run_events import AsyncRunEvents, SyncRunEvents
from arp_sdk.errors import ArpApiError
from arp_sdk.generated.daemon import (
    AsyncDaemonOperations,
    CancelRunRequest,
    CancelRunsRequest,
    CreateInstancesRequest,
    DaemonOperations,
    DeleteInstanceRequest,
    DeleteRuntimeProfileRequest,
    GetInstanceLogsRequest,
    GetRunResultRequest,
    GetRunStatusRequest,
    GetRunTraceRequest,
    HealthRequest,
    ListInstancesRequest,
    ListRunsRequest,
    ListRuntimeProfilesRequest,
    RegisterInstanceRequest,
    StreamRunEventsRequest,
    SubmitRunRequest,
    SubmitRunsRequest,
    UpsertRuntimeProfileRequest,
    VersionRequest,
)

__all__ = [
    "ArpApiError",
    "AsyncDaemonClient",
    "CancelRunRequest",
    "CancelRunsRequest",
    "CreateInstancesRequest",
    "DaemonClient",
    "DeleteInstanceRequest",
    "DeleteRuntimeProfileRequest",
    "GetInstanceLogsRequest",
    "GetRunResultRequest",
    "GetRunStatusRequest",
    "GetRunTraceRequest",
    "Health",
    "HealthRequest",
    "InstanceCreateRequest",
    "InstanceCreateResponse",
    "InstanceListResponse",
    "InstanceRegisterRequest",
    "InstanceRegisterResponse",
    "ListInstancesRequest",
    "ListRunsRequest",
    "ListRuntimeProfilesRequest",
    "RegisterInstanceRequest",
    "RunBatchItem",
    "RunBatchRequest",
    "RunBatchResponse",
    "RunCancelRequest",
    "RunCancelResponse",
    "RunEvent",
    "RunListResponse",
    "RunRequest",
    "RunResult",
    "RunState",
    "RunStatus",
    "RuntimeInstance",
    "RuntimeProfile",
    "RuntimeProfileListResponse",
    "RuntimeProfileUpsertRequest",
    "StreamRunEventsRequest",
    "SubmitRunRequest",
    "SubmitRunsRequest",
    "TraceResponse",
    "UpsertRuntimeProfileRequest",
    "VersionInfo",
    "VersionRequest",
]


class DaemonClient(DaemonOperations, SyncRunEvents, SyncInstanceLogs):
    """Calls a daemon, blocking."""


class AsyncDaemonClient(AsyncDaemonOperations, AsyncRunEvents, AsyncInstanceLogs):
    """Calls a daemon, to be awaited."""
