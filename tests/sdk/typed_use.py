"""How users write it, with the types that they get: never run, checked by `nox -s types`.

What is wrong has to be an error: each `type: ignore` below is one itself as soon as the mistake is let through.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
from typing_extensions import assert_type

from arp_sdk import (
    AsyncDaemonClient,
    AsyncRunHandle,
    AsyncRuntimeClient,
    DaemonClient,
    RunHandle,
    RuntimeClient,
    ToolRegistryClient,
    clients,
)
from arp_sdk.daemon import (
    DaemonRunOptions,
    GetRunStatusRequest,
    ListRunsRequest,
    RunFilter,
    SubmitRunRequest,
    SucceededResult,
    UpsertRuntimeProfileRequest,
)
from arp_sdk.errors import (
    ArpApiError,
    ArpConnectionError,
    ArpRunCanceledError,
    ArpRunError,
    ArpRunFailedError,
    ArpTimeoutError,
    ArpWaitTimeoutError,
)
from arp_sdk.models import (
    Health,
    InstanceCreateRequest,
    InstanceCreateResponse,
    InstanceState,
    RunEvent,
    RunEventType,
    RunListResponse,
    RunRequest,
    RunRequestInput,
    RunRequestLimits,
    RunResult,
    RunState,
    RunStatus,
    RunStatusState,
    RuntimeProfile,
    RuntimeProfileUpsertRequest,
    ToolDefinition,
    ToolInvocationResult,
    TraceResponse,
    UnsetType,
    VersionInfo,
)
from arp_sdk.tool_registry import InvokeToolRequest

if TYPE_CHECKING:
    from arp_sdk.runtime import RunOptions
    from arp_sdk.testing import FakeService

REQUEST = RunRequest(RunRequestInput("x"), limits=RunRequestLimits(timeout_ms=1000))


def constructors(mine: httpx.Client, its: httpx.AsyncClient) -> None:
    """Options by name, each with its type."""
    DaemonClient("http://127.0.0.1:8082")
    DaemonClient(base_url="http://127.0.0.1:8082", token="t", retries=0, timeout=3, total_timeout=math.inf)
    DaemonClient("http://127.0.0.1:8082", timeout=httpx.Timeout(30, connect=5), headers={"a": "b"})
    DaemonClient(client=mine)
    DaemonClient(client=clients.DaemonAuthenticatedClient("http://127.0.0.1:8082", "t").with_headers({"a": "b"}))
    AsyncDaemonClient(client=its)
    DaemonClient("http://127.0.0.1:8082", "t")  # type: ignore[call-arg, arg-type]  # options are given by name
    DaemonClient("http://127.0.0.1:8082", retries="no")  # type: ignore[arg-type]  # a number
    DaemonClient("http://127.0.0.1:8082", retry=3)  # type: ignore[call-arg]  # no such option
    DaemonClient("http://127.0.0.1:8082", timeout="3s")  # type: ignore[arg-type]  # seconds, or httpx.Timeout
    DaemonClient(client=its)  # type: ignore[arg-type]  # an async client cannot block
    AsyncDaemonClient(client=mine)  # type: ignore[arg-type]  # a blocking client cannot be awaited


def blocking(daemon: DaemonClient, runtime: RuntimeClient, registry: ToolRegistryClient) -> None:
    """Each call has the type of its answer."""
    with daemon as entered:
        assert_type(entered, DaemonClient)
    assert_type(daemon.health(), Health)
    assert_type(daemon.version(), VersionInfo)
    assert_type(daemon.submit_run(REQUEST), RunStatus)
    assert_type(daemon.submit_run(REQUEST, idempotency_key="k"), RunStatus)
    assert_type(daemon.submit_run(SubmitRunRequest(REQUEST)), RunStatus)
    assert_type(daemon.get_run_status("r1"), RunStatus)
    assert_type(daemon.get_run_status(GetRunStatusRequest("r1")), RunStatus)
    assert_type(daemon.get_run_result("r1"), RunResult)
    assert_type(daemon.get_run_trace("r1"), TraceResponse)
    assert_type(daemon.list_runs(page_size=5, state=[RunState.QUEUED]), RunListResponse)
    assert_type(daemon.list_runs(ListRunsRequest(page_size=5)), RunListResponse)
    assert_type(daemon.create_instances(InstanceCreateRequest("default", count=1)), InstanceCreateResponse)
    upsert = UpsertRuntimeProfileRequest("p", RuntimeProfileUpsertRequest(description="d"))
    assert_type(daemon.upsert_runtime_profile(upsert), RuntimeProfile)
    for event in daemon.iter_run_events("r1", after=3):
        assert_type(event, RunEvent)
    assert_type(daemon.unknown_fields, Counter[str])
    assert_type(daemon.raw_client, httpx.Client)
    assert_type(runtime.create_run(REQUEST), RunStatus)
    assert_type(runtime.stream_run_events("r1"), str)
    assert_type(registry.list_tools(), list[ToolDefinition])
    assert_type(registry.invoke_tool(InvokeToolRequest("c1", {}, tool_id="t")), ToolInvocationResult)


def blocking_wrong(daemon: DaemonClient, runtime: RuntimeClient) -> None:
    """What the contract does not have is found before it is run."""
    daemon.submit_run({"input": {"goal": "x"}})  # type: ignore[arg-type]  # RunRequest.from_dict makes one of it
    daemon.submit_run("x")  # type: ignore[arg-type]  # a goal is no request
    daemon.submit_run(REQUEST, idempotency="k")  # type: ignore[call-arg]  # no such parameter
    daemon.get_run_status(7)  # type: ignore[arg-type]  # ids are texts
    daemon.list_runs(page_size="5")  # type: ignore[arg-type]  # a number
    daemon.upsert_runtime_profile("p")  # type: ignore[arg-type]  # wants two things, so it takes a request
    daemon.create_run(REQUEST)  # type: ignore[attr-defined]  # runtimes create runs
    runtime.submit_run(REQUEST)  # type: ignore[attr-defined]  # and daemons have them submitted
    daemon.list_instances().instances.state  # type: ignore[attr-defined]  # noqa: B018 - of a list


async def awaited(daemon: AsyncDaemonClient, runtime: AsyncRuntimeClient) -> None:
    """The same, awaited."""
    async with daemon as entered:
        assert_type(entered, AsyncDaemonClient)
    assert_type(await daemon.submit_run(REQUEST), RunStatus)
    assert_type(await daemon.get_run_result("r1"), RunResult)
    assert_type(await runtime.cancel_run("r1"), RunStatus)
    async for event in daemon.iter_run_events("r1"):
        assert_type(event, RunEvent)
    assert_type(daemon.raw_client, httpx.AsyncClient)
    daemon.get_run_status("r1").state  # type: ignore[attr-defined]  # noqa: B018 - it is to be awaited
    for event in daemon.iter_run_events("r1"):  # type: ignore[attr-defined]  # by `async for`
        assert event
    with daemon:  # type: ignore[attr-defined]  # by `async with`
        pass


def handles(daemon: DaemonClient, runtime: RuntimeClient) -> None:
    """A run's output is a dict, and needs no question whether it is there."""
    run = daemon.run("x", profile="default", timeout_ms=60_000, labels={"a": "b"}, idempotency_key="k")
    assert_type(run, RunHandle)
    assert_type(run.run_id, str)
    assert_type(run.status(), RunStatus)
    assert_type(run.result(timeout=5), SucceededResult)
    assert_type(run.result().output, dict[str, Any])
    assert_type(run.cancel(), RunStatus)
    for event in run.events(after=3):
        assert_type(event, RunEvent)
    assert_type(daemon.wait_for_run("r1", timeout=0.5), RunStatus)
    assert_type(daemon.run_handle("r1"), RunHandle)
    assert_type(runtime.run("x", max_steps=3), RunHandle)
    options: DaemonRunOptions = {"profile": None, "allow_tool_ids": ("a",)}
    daemon.run("x", **options)
    common: RunOptions = {"max_tokens": 3}
    runtime.run("x", **common)
    daemon.run("x", profil="default")  # type: ignore[call-arg]  # no such option
    daemon.run("x", labels={"a": 1})  # type: ignore[dict-item]  # a label is a text
    daemon.run(REQUEST)  # type: ignore[arg-type]  # a whole request is for `submit_run`
    runtime.run("x", profile="default")  # type: ignore[call-arg]  # there is nothing to choose


async def awaited_handles(daemon: AsyncDaemonClient, runtime: AsyncRuntimeClient) -> None:
    """The same, awaited; what asks nobody is not."""
    run = await daemon.run("x", profile="default")
    assert_type(run, AsyncRunHandle)
    assert_type((await run.result(timeout=5)).output, dict[str, Any])
    assert_type(await run.status(), RunStatus)
    async for event in run.events():
        assert_type(event, RunEvent)
    assert_type(await daemon.wait_for_run("r1"), RunStatus)
    assert_type(daemon.run_handle("r1"), AsyncRunHandle)
    assert_type(await runtime.run("x"), AsyncRunHandle)
    run.result().output  # type: ignore[attr-defined]  # noqa: B018 - it is to be awaited


async def lists(daemon: DaemonClient, awaiting: AsyncDaemonClient) -> None:
    """Lists as iterators, chosen as in the list."""
    only: RunFilter = {"state": [RunState.FAILED], "label": ["a=b"]}
    for run in daemon.iter_runs(page_size=10, **only):
        assert_type(run, RunStatus)
    for profile in daemon.iter_runtime_profiles():
        assert_type(profile, RuntimeProfile)
    async for run in awaiting.iter_runs(runtime_profile="default"):
        assert_type(run, RunStatus)
    daemon.iter_runs(stat=[RunState.FAILED])  # type: ignore[call-arg]  # no such filter


def fakes(fake: FakeService) -> None:
    """A service for tests."""
    fake.on("x", output={"a": 1}, events=[("token", {"text": "a"})])
    fake.on(None, error="agent_error", holds=True)
    assert_type(fake.requests, list[RunRequest])
    assert_type(fake.url, str)
    fake.on("x", outcome={})  # type: ignore[call-arg]  # no such word


def models(status: RunStatus, result: RunResult, event: RunEvent) -> None:
    """What may be absent has to be asked for."""
    assert_type(status.state, RunState)
    assert_type(status.state.value, str)
    assert_type(RunStatusState("queued"), RunState)
    assert_type(RunRequest.from_dict({"input": {"goal": "x"}}), RunRequest)
    assert_type(RunRequest.from_json(b"{}"), RunRequest)
    assert_type(status.to_json(), bytes)
    assert_type(event.type_, RunEventType)
    assert_type(event.time, datetime)
    if status.started_at:
        assert_type(status.started_at, datetime)
    assert_type(result.ok, bool)
    if not isinstance(result.error, UnsetType):
        assert_type(result.error.code, str)
    status.started_at.year  # type: ignore[union-attr]  # noqa: B018 - it may be absent
    RunRequest("x")  # type: ignore[arg-type]  # a goal is in an input
    RunRequest()  # type: ignore[call-arg]  # there is nothing to do
    RunRequest(RunRequestInput("x"), goal="x")  # type: ignore[call-arg]  # no such field
    assert status.state != InstanceState.READY  # type: ignore[comparison-overlap]  # another list of words


def errors(error: ArpApiError) -> None:
    """Every error has what there is to decide by."""
    assert_type(error.code, str)
    assert_type(error.message, str)
    assert_type(error.status_code, int | None)
    assert_type(error.retryable, bool | None)
    assert_type(error.retry_after, float | None)
    assert issubclass(ArpConnectionError, ArpApiError)
    assert issubclass(ArpWaitTimeoutError, ArpTimeoutError)
    assert issubclass(ArpRunCanceledError, ArpRunError)
    assert issubclass(ArpRunFailedError, ArpRunError)
    if isinstance(error, ArpRunError):
        assert_type(error.output, dict[str, Any])
        assert_type(error.result, RunResult)
        assert_type(error.status, RunStatus)
    ArpApiError("c")  # type: ignore[call-arg]  # a message is for people
