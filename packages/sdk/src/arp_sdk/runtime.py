"""The runtime API's clients, and the types that they take and give."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from arp_sdk._outcome import SucceededResult
from arp_sdk._run_events import AsyncRunEvents, SyncRunEvents
from arp_sdk._run_handle import AsyncRunHandle, RunHandle
from arp_sdk._run_request import RunOptions, build_run_request
from arp_sdk._wait_for_run import AsyncWaitForRun, SyncWaitForRun
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

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "ArpApiError",
    "AsyncRunHandle",
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
    "RunHandle",
    "RunOptions",
    "RunRequest",
    "RunResult",
    "RunStatus",
    "RuntimeClient",
    "StreamRunEventsRequest",
    "SucceededResult",
    "TraceResponse",
    "VersionInfo",
    "VersionRequest",
]


class RuntimeClient(RuntimeOperations, SyncRunEvents, SyncWaitForRun):
    """Calls a runtime, blocking."""

    def run(self, goal: str, **options: Unpack[RunOptions]) -> RunHandle:
        """Submit a run, and return it as something to follow, to wait for and to cancel.

        The options are those of `RunOptions`: `context`, `data`, `timeout_ms`, `max_steps`, `max_tokens`,
        `allow_tool_ids`, `deny_tool_ids`, `labels` and `run_id`.
        """
        status = self.create_run(build_run_request(goal, options, RunOptions))
        return RunHandle(self, status.run_id, submitted=True)

    def run_handle(self, run_id: str) -> RunHandle:
        """Return the handle of a run that was submitted before. Asks nobody: its first use tells whether it exists."""
        return RunHandle(self, run_id)


class AsyncRuntimeClient(AsyncRuntimeOperations, AsyncRunEvents, AsyncWaitForRun):
    """Calls a runtime, to be awaited."""

    async def run(self, goal: str, **options: Unpack[RunOptions]) -> AsyncRunHandle:
        """Submit a run, and return it as something to follow, to wait for and to cancel.

        The options are those of `RunOptions`: `context`, `data`, `timeout_ms`, `max_steps`, `max_tokens`,
        `allow_tool_ids`, `deny_tool_ids`, `labels` and `run_id`.
        """
        status = await self.create_run(build_run_request(goal, options, RunOptions))
        return AsyncRunHandle(self, status.run_id, submitted=True)

    def run_handle(self, run_id: str) -> AsyncRunHandle:
        """Return the handle of a run that was submitted before. Asks nobody: its first use tells whether it exists."""
        return AsyncRunHandle(self, run_id)
