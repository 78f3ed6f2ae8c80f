"""The runtime API's clients, and the types that they take and give."""

from __future__ import annotations

from arp_model import (
    Health,
    RunBatchRequest,
    RunBatchResponse,
    RunEvent,
    RunRequest,
    RunResult,
    RunStatus,
    TraceResponse,
    VersionInfo,
)
from arp_sdk._run_events import AsyncRunEvents, SyncRunEvents
from arp_sdk.errors import ArpApiError
from arp_sdk.generated.runtime import (
    AsyncRuntimeOperations,
    CancelRunRequest,
    CreateRunRequest,
    CreateRunsRequest,
    GetRunResultRequest,
    GetRunStatusRequest,
    GetRunTraceRequest,
    HealthRequest,
    RuntimeOperations,
    StreamRunEventsRequest,
    VersionRequest,
)

__all__ = [
    "ArpApiError",
    "AsyncRuntimeClient",
    "CancelRunRequest",
    "CreateRunRequest",
    "CreateRunsRequest",
    "GetRunResultRequest",
    "GetRunStatusRequest",
    "GetRunTraceRequest",
    "Health",
    "HealthRequest",
    "RunBatchRequest",
    "RunBatchResponse",
    "RunEvent",
    "RunRequest",
    "RunResult",
    "RunStatus",
    "RuntimeClient",
    "StreamRunEventsRequest",
    "TraceResponse",
    "VersionInfo",
    "VersionRequest",
]


class RuntimeClient(RuntimeOperations, SyncRunEvents):
    """Calls a runtime, blocking."""


class AsyncRuntimeClient(AsyncRuntimeOperations, AsyncRunEvents):
    """Calls a runtime, to be awaited."""
