"""Our runtime calls the tools of arp-jarvis-tool-registry 0.1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from runtime.streams import execute
from support.daemon import running_daemon
from support.runtime import running_runtime

if TYPE_CHECKING:
    from pathlib import Path


async def _outcome(client: httpx.AsyncClient, tool_id: str, args: dict[str, Any], **fields: Any) -> dict[str, Any]:
    asked = {"goal": "", "data": {"tool_id": tool_id, "args": args}}
    outcome: dict[str, Any] = (await execute(client, "", input=asked, **fields))[-1].data["data"]
    return outcome


async def test_runs_call_its_tools_under_their_policy(tools_url: str) -> None:
    """With arguments that are checked here already, and results that come back as events."""
    async with (
        running_runtime("--tool-registry-url", tools_url) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        calculated = await _outcome(client, "tool_calc", {"expression": "(19*23)"})
        assert calculated["ok"], calculated
        assert "437" in str(calculated["output"]["result"])
        assert (await _outcome(client, "tool_echo", {"text": "hello"}))["output"]["answer"] == "hello"
        assert (await _outcome(client, "tool_time_now", {"tz": "UTC"}))["ok"]
        failed = await _outcome(client, "tool_calc", {"expression": "1/0"})
        assert failed["error"]["code"] == "tool_failed"
        misfit = await _outcome(client, "tool_echo", {"text": 3})
        assert misfit["error"]["code"] == "invalid_tool_arguments"
        policy = {"deny_tool_ids": ["tool_echo"]}
        assert (await _outcome(client, "tool_echo", {"text": "x"}, tool_policy=policy))["error"][
            "code"
        ] == "tool_denied"


async def test_a_profile_names_it(tools_url: str, tmp_path: Path) -> None:
    """Its `tool_registry_url` reaches the instances of our own runtime that the daemon starts."""
    async with running_daemon(tmp_path / "data") as daemon:
        profile = {
            "defaults": {"tool_registry_url": tools_url},
            "extensions": {"arp.exec": {"driver": "runtime"}},
        }
        put = await daemon.client.put("/v1/admin/runtime-profiles/tools", json=profile)
        assert put.status_code == 200, put.text
        asked = {"goal": "", "data": {"tool_id": "tool_calc", "args": {"expression": "2+3"}}}
        body = {"input": asked, "runtime_selector": {"runtime_profile": "tools"}}
        created = await daemon.client.post("/v1/runs", json=body)
        assert created.status_code == 202, created.text
        result = await daemon.result(created.json()["run_id"])
        assert result["ok"], result
