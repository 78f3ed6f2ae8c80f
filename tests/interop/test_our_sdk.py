"""Our SDK, blocking and async, as the client of the services that others published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from arp_sdk.daemon import ListRunsRequest, UpsertRuntimeProfileRequest
from arp_sdk.errors import ArpApiError, ArpResponseError
from arp_sdk.models import (
    InstanceCreateRequest,
    InstanceRegisterRequest,
    RunBatchRequest,
    RunRequest,
    RuntimeProfileUpsertRequest,
)
from arp_sdk.tool_registry import InvokeToolRequest
from support.jarvis_program import serving_daemon, serving_runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from sdk.conftest import Caller

    Call = Callable[..., Coroutine[Any, Any, Any]]

_GOAL = "What is (19*23)?"


def run(goal: str = _GOAL, **fields: Any) -> RunRequest:
    """A run request."""
    return RunRequest.from_dict({"input": {"goal": goal}, **fields})


def calling(caller: Caller, client: str, url: str) -> Call:
    """A function that calls a method of one of the clients at an address."""

    async def call(method: str, *args: Any, **kwargs: Any) -> Any:
        return await caller.call(client, url, method, *args, **kwargs)

    return call


async def refused(call: Call, method: str, *args: Any) -> tuple[int | None, str]:
    """Call a method that the service refuses; return status and code."""
    with pytest.raises(ArpApiError) as caught:
        await call(method, *args)
    return caught.value.status_code, caught.value.code


async def test_every_operation_of_the_runtime(caller: Caller, jarvis: Path, tools_url: str, tmp_path: Path) -> None:
    """A run to its end, and what it says of what it cannot do."""
    async with serving_runtime(jarvis, tmp_path, tools_url) as url:
        call = calling(caller, "Runtime", url)
        assert (await call("health")).status == "ok"
        assert (await call("version")).service_name == "arp-jarvis-runtime"
        status = await call("create_run", run(run_id="r1"))
        assert (status.run_id, status.state) == ("r1", "succeeded")
        assert await call("get_run_status", "r1") == status
        result = await call("get_run_result", "r1")
        assert result.ok
        assert "437" in result.output["final_text"]
        assert (await call("create_run", run("fail with no tool"))).run_id.startswith("run_")
        assert await refused(call, "get_run_status", "no-such-run") == (404, "not_found")
        assert await refused(call, "get_run_result", "no-such-run") == (404, "not_found")
        assert await refused(call, "cancel_run", "r1") == (409, "not_cancelable")
        assert await refused(call, "stream_run_events", "r1") == (501, "not_implemented")
        assert await refused(call, "create_runs", RunBatchRequest([run()])) == (404, "http_error")


async def test_every_operation_of_the_tool_registry(caller: Caller, tools_url: str) -> None:
    """Its tools are found and called, by id and by name; that a tool fails is an answer, and no error."""
    call = calling(caller, "ToolRegistry", tools_url)
    assert (await call("health")).status == "ok"
    assert (await call("version")).service_name == "arp-jarvis-tool-registry"
    tools = {tool.tool_id: tool for tool in await call("list_tools")}
    assert set(tools) == {"tool_calc", "tool_echo", "tool_time_now"}
    assert await call("get_tool", "tool_calc") == tools["tool_calc"]
    by_id = await call("invoke_tool", InvokeToolRequest("i1", {"expression": "(19*23)"}, tool_id="tool_calc"))
    assert (by_id.invocation_id, by_id.ok, by_id.result["value"]) == ("i1", True, 437)
    by_name = await call("invoke_tool", InvokeToolRequest("i2", {"text": "Grüße 🌍"}, tool_name="echo"))
    assert by_name.result == {"text": "Grüße 🌍"}
    failed = await call("invoke_tool", InvokeToolRequest("i3", {"expression": "1/0"}, tool_id="tool_calc"))
    assert (failed.ok, failed.error.code) == (False, "tool.handler_error")
    assert await refused(call, "get_tool", "no-such-tool") == (404, "tool.not_found")


async def test_every_operation_of_the_daemon(
    caller: Caller, jarvis: Path, jarvis_daemon: Path, tools_url: str, tmp_path: Path
) -> None:
    """Profiles, instances that it launches and that it is given, runs to their end, pages, and errors."""
    async with (
        serving_runtime(jarvis, tmp_path, tools_url) as runtime_url,
        serving_daemon(jarvis_daemon, tmp_path) as url,
    ):
        call = calling(caller, "Daemon", url)
        assert (await call("health")).status == "ok"
        assert (await call("version")).service_name == "arp-jarvis-daemon"
        await _manage_profiles_and_instances(call, jarvis, tools_url, runtime_url)
        for number in range(3):
            status = await call("submit_run", run(run_id=f"r{number}", runtime_selector={"runtime_name": "mine"}))
            assert (status.run_id, status.state) == (f"r{number}", "succeeded")
        assert await call("get_run_status", "r0") != status
        assert "437" in (await call("get_run_result", "r2")).output["final_text"]
        assert (await call("get_run_trace", "r2")).to_dict() == {}
        assert sorted(await _pages(call)) == ["r0", "r1", "r2", "spawned"]
        await _refusals(call)


async def _manage_profiles_and_instances(call: Call, jarvis: Path, tools_url: str, runtime_url: str) -> None:
    words = [str(jarvis / "arp-jarvis-runtime"), "serve", "--port", "{port}"]
    exec_ = {"driver": "command", "command_template": words}
    profile = {"defaults": {"tool_registry_url": tools_url}, "extensions": {"arp.jarvis.exec": exec_}}
    body = RuntimeProfileUpsertRequest.from_dict(profile)
    put = await call("upsert_runtime_profile", UpsertRuntimeProfileRequest("jarvis", body))
    assert put.to_dict() == {"runtime_profile": "jarvis", **profile}
    assert (await call("list_runtime_profiles")).profiles == [put]
    [spawned] = (await call("create_instances", InstanceCreateRequest("jarvis"))).instances
    assert (spawned.managed, spawned.state) == (True, "ready")
    selector = {"instance_id": spawned.instance_id}
    assert (await call("submit_run", run(run_id="spawned", runtime_selector=selector))).state == "succeeded"
    request = InstanceRegisterRequest(runtime_url, runtime_name="mine")
    registered = (await call("register_instance", request)).instance
    assert (registered.managed, registered.runtime_version) == (False, "0.1.0")
    listed = (await call("list_instances")).instances
    assert {instance.instance_id for instance in listed} == {spawned.instance_id, registered.instance_id}
    assert await call("delete_instance", spawned.instance_id) is None
    assert (await call("list_instances")).instances == [registered]
    assert await call("delete_runtime_profile", "jarvis") is None
    assert (await call("list_runtime_profiles")).profiles == []


async def _pages(call: Call) -> list[str]:
    """All run ids, from pages of two."""
    first = await call("list_runs", page_size=2)
    assert len(first.runs) == 2
    rest = await call("list_runs", ListRunsRequest(page_size=2, page_token=first.pagination.next_page_token))
    assert not rest.pagination.next_page_token
    return [status.run_id for status in [*first.runs, *rest.runs]]


async def _refusals(call: Call) -> None:
    """Its own errors come with their codes; where it answers with no ErrorEnvelope, that is said."""
    assert await refused(call, "get_run_status", "no-such-run") == (404, "not_found")
    assert await refused(call, "get_run_result", "no-such-run") == (404, "not_found")
    assert await refused(call, "create_instances", InstanceCreateRequest("no-such-profile")) == (400, "bad_request")
    nowhere = run(runtime_selector={"runtime_name": "nobody"})
    assert await refused(call, "submit_run", nowhere) == (404, "instances.not_found")
    # It can do nothing with these: additions of ours, and a query that its framework refuses.
    with pytest.raises(ArpResponseError, match="no ErrorEnvelope"):
        await call("cancel_run", "r0")
    with pytest.raises(ArpResponseError, match="no ErrorEnvelope"):
        await call("list_runs", page_size=0)
