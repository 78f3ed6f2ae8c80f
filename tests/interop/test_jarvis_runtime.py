"""arp-jarvis-runtime 0.1.0, which knows only what the standard requires, executes runs for our daemon.

It works offline in its stub mode (the default), with the tools of arp-jarvis-tool-registry 0.1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.jarvis_program import serving_runtime
from support.waiting import until_answer

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon

_GOALS = [("What is (19*23)?", "437"), ("What time is it in UTC?", "current time in UTC")]


async def test_a_registered_runtime_works_on_real_goals(
    jarvis: Path, tools_url: str, daemon: RunningDaemon, tmp_path: Path
) -> None:
    """The daemon hands runs over one by one, and polls: this runtime has neither batches nor event streams."""
    async with serving_runtime(jarvis, tmp_path, tools_url) as url:
        body = {"runtime_api_endpoint": url, "runtime_name": "jarvis"}
        registered = await daemon.client.post("/v1/instances:register", json=body)
        assert registered.status_code == 200, registered.text
        for goal, answer in _GOALS:
            await _assert_answered(daemon, {"runtime_name": "jarvis"}, goal, answer)
        instance_id = registered.json()["instance"]["instance_id"]
        assert (await daemon.client.delete(f"/v1/instances/{instance_id}")).status_code == 204
        async with httpx.AsyncClient(base_url=url, trust_env=False) as runtime:
            assert (await runtime.get("/v1/health")).json()["status"] == "ok"


@pytest.mark.parametrize(("extension", "command"), [("arp.exec", "command"), ("arp.jarvis.exec", "command_template")])
async def test_a_launched_runtime_works_on_real_goals(
    extension: str, command: str, jarvis: Path, tools_url: str, daemon: RunningDaemon, tmp_path: Path
) -> None:
    """A profile's command starts it on the first run, with the tool registry that the profile names.

    Our profiles and those of arp-jarvis-daemon say the same in different words.
    """
    words = [str(jarvis / "arp-jarvis-runtime"), "serve", "--port", "{port}", "--trace-dir", str(tmp_path)]
    exec_ = {"driver": "command", command: words}
    profile = {"defaults": {"tool_registry_url": tools_url}, "extensions": {extension: exec_}}
    put = await daemon.client.put("/v1/admin/runtime-profiles/jarvis", json=profile)
    assert put.status_code == 200, put.text
    for goal, answer in _GOALS:
        await _assert_answered(daemon, {"runtime_profile": "jarvis"}, goal, answer)
    [instance] = await daemon.instances()
    assert (instance["managed"], instance["runtime_profile"]) == (True, "jarvis")


async def test_a_profile_of_arp_jarvis_daemon_starts_unchanged(tools_url: str, daemon: RunningDaemon) -> None:
    """As its README has it: the package is installed, and its program started."""
    exec_ = {
        "driver": "pip",
        "pip_spec": "arp-jarvis-runtime==v0.1.0",
        "entrypoint": "arp-jarvis-runtime",
        "entrypoint_args": ["serve"],
    }
    profile = {"runtime_name": "arp-jarvis-runtime", "extensions": {"arp.jarvis.exec": exec_}}
    put = await daemon.client.put("/v1/admin/runtime-profiles/jarvis-local", json=profile)
    assert put.status_code == 200, put.text
    await until_answer(lambda: _environment(daemon), lambda state: state == "ready")
    overrides = {"tool_registry_url": tools_url}
    created = await daemon.client.post(
        "/v1/instances", json={"runtime_profile": "jarvis-local", "count": 2, "overrides": overrides}
    )
    assert created.status_code == 200, created.text
    for goal, answer in _GOALS:
        await _assert_answered(daemon, {"runtime_profile": "jarvis-local"}, goal, answer)


async def _environment(daemon: RunningDaemon) -> str:
    profiles = (await daemon.get("/v1/admin/runtime-profiles"))["profiles"]
    shown = next(p for p in profiles if p["runtime_profile"] == "jarvis-local")
    return str(shown["extensions"]["arp.environment"]["state"])


async def _assert_answered(daemon: RunningDaemon, selector: dict[str, Any], goal: str, answer: str) -> None:
    run_id = await daemon.submit(goal, runtime_selector=selector)
    result = await daemon.result(run_id)
    assert result["ok"], result
    assert answer in result["output"]["final_text"]
    [last] = await daemon.events(run_id)
    assert {"run_id": run_id, **last["data"]} == result
