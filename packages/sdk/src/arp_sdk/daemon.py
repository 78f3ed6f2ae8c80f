"""The daemon API's clients, and the types that they take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from arp_sdk._outcome import SucceededResult
from arp_sdk._pages import AsyncPages, RunFilter, SyncPages
from arp_sdk._run_events import AsyncRunEvents, SyncRunEvents
from arp_sdk._run_handle import AsyncRunHandle, RunHandle
from arp_sdk._run_request import DaemonRunOptions, build_run_request
from arp_sdk._wait_for_run import AsyncWaitForRun, SyncWaitForRun
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

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "ArpApiError",
    "AsyncDaemonClient",
    "AsyncRunHandle",
    "CancelRunRequest",
    "CancelRunsRequest",
    "CreateInstancesRequest",
    "DaemonClient",
    "DaemonRunOptions",
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
    "RunFilter",
    "RunHandle",
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
    "SucceededResult",
    "TraceResponse",
    "UpsertRuntimeProfileRequest",
    "VersionInfo",
    "VersionRequest",
]


class DaemonClient(DaemonOperations, SyncRunEvents, SyncWaitForRun, SyncPages, SyncInstanceLogs):
    """Calls a daemon, blocking."""

    def run(self, goal: str, *, idempotency_key: str | None = None, **options: Unpack[DaemonRunOptions]) -> RunHandle:
        """Submit a run, and return it as something to follow, to wait for and to cancel.

        The options are those of `DaemonRunOptions`: `context`, `data`, `profile`, `instance_id`, `timeout_ms`,
        `max_steps`, `max_tokens`, `allow_tool_ids`, `deny_tool_ids`, `labels` and `run_id`.
        """
        request = build_run_request(goal, options, DaemonRunOptions)
        status = self.submit_run(request, idempotency_key=idempotency_key)
        return RunHandle(self, status.run_id, submitted=True)

    def run_handle(self, run_id: str) -> RunHandle:
        """Return the handle of a run that was submitted before. Asks nobody: its first use tells whether it exists."""
        return RunHandle(self, run_id)


class AsyncDaemonClient(AsyncDaemonOperations, AsyncRunEvents, AsyncWaitForRun, AsyncPages, AsyncInstanceLogs):
    """Calls a daemon, to be awaited."""

    async def run(
        self, goal: str, *, idempotency_key: str | None = None, **options: Unpack[DaemonRunOptions]
    ) -> AsyncRunHandle:
        """Submit a run, and return it as something to follow, to wait for and to cancel.

        The options are those of `DaemonRunOptions`: `context`, `data`, `profile`, `instance_id`, `timeout_ms`,
        `max_steps`, `max_tokens`, `allow_tool_ids`, `deny_tool_ids`, `labels` and `run_id`.
        """
        request = build_run_request(goal, options, DaemonRunOptions)
        status = await self.submit_run(request, idempotency_key=idempotency_key)
        return AsyncRunHandle(self, status.run_id, submitted=True)

    def run_handle(self, run_id: str) -> AsyncRunHandle:
        """Return the handle of a run that was submitted before. Asks nobody: its first use tells whether it exists."""
        return AsyncRunHandle(self, run_id)
