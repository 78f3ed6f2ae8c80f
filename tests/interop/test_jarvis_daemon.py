"""arp-jarvis-daemon 0.1.0 registers and launches our runtime, and has it work on real goals.

It keeps the state that a runtime answers a new run with, and never asks again: what tells of a run's end is its
result, which it asks for until there is one.
"""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import psutil
import pytest

from support.daemon import is_alive
from support.jarvis_program import serving_daemon
from support.published import wheels
from support.waiting import until, until_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# It answers when the instance is there, and what pip installs before takes its time.
_INSTALL_TIMEOUT_S = 300
_PROFILE = "/v1/admin/runtime-profiles/ours"
_CALCULATE = {"goal": "", "data": {"tool_id": "tool_calc", "args": {"expression": "(19*23)"}}}


@asynccontextmanager
async def _calling(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_INSTALL_TIMEOUT_S) as client:
        yield client


async def _assert_answered(client: httpx.AsyncClient, selector: dict[str, Any], input_: dict[str, Any]) -> None:
    """Submit a goal to which the answer is 437, and wait for it."""
    submitted = await client.post("/v1/runs", json={"input": input_, "runtime_selector": selector})
    assert submitted.status_code == 202, submitted.text
    path = f"/v1/runs/{submitted.json()['run_id']}/result"
    answer = await until_answer(lambda: client.get(path), lambda response: response.status_code == 200)
    result = answer.json()
    assert result["ok"], result
    assert "437" in json.dumps(result["output"])


async def _launch(client: httpx.AsyncClient, exec_: dict[str, Any], tools_url: str, data: Path) -> psutil.Process:
    """Have an instance of our runtime started; return its process."""
    profile = {"defaults": {"tool_registry_url": tools_url}, "extensions": {"arp.jarvis.exec": exec_}}
    put = await client.put(_PROFILE, json=profile)
    assert put.status_code == 200, put.text
    created = await client.post("/v1/instances", json={"runtime_profile": "ours"})
    assert created.status_code == 200, created.text
    [instance] = created.json()["instances"]
    assert (instance["managed"], instance["state"]) == (True, "ready")
    assert (instance["runtime_name"], instance["runtime_version"][:2]) == ("arp-runtime", "1.")
    [kept] = json.loads(await anyio.Path(data / "jarvis-daemon" / "instances.json").read_text())["instances"]
    return psutil.Process(kept["pid"])


async def _assert_works_and_ends(client: httpx.AsyncClient, process: psutil.Process) -> None:
    """Goals are answered, with our tools and with those of the registry; then the instance is deleted."""
    for input_ in ({"goal": "What is (19*23)?"}, _CALCULATE):
        await _assert_answered(client, {"runtime_profile": "ours"}, input_)
    [instance] = (await client.get("/v1/instances")).json()["instances"]
    assert (await client.delete(f"/v1/instances/{instance['instance_id']}")).status_code == 204
    await until(lambda: not is_alive(process))


async def test_our_runtime_works_where_it_is_registered(jarvis_daemon: Path, runtime_url: str, tmp_path: Path) -> None:
    """The JARVIS daemon finds out what it is, and hands it runs by instance and by name."""
    async with serving_daemon(jarvis_daemon, tmp_path) as url, _calling(url) as client:
        registered = await client.post("/v1/instances:register", json={"runtime_api_endpoint": runtime_url})
        assert registered.status_code == 200, registered.text
        instance = registered.json()["instance"]
        assert (instance["state"], instance["runtime_name"]) == ("ready", "arp-runtime")
        for selector in ({"instance_id": instance["instance_id"]}, {"runtime_name": "arp-runtime"}):
            await _assert_answered(client, selector, {"goal": "What is (19*23)?"})
        refused = await client.get("/v1/runs/no-such-run/result")
        assert refused.status_code == 404
        assert (await client.delete(f"/v1/instances/{instance['instance_id']}")).status_code == 204
        async with httpx.AsyncClient(base_url=runtime_url, trust_env=False) as runtime:
            assert (await runtime.get("/v1/health")).json()["status"] == "ok"


async def test_our_runtime_is_launched_by_a_command(jarvis_daemon: Path, tools_url: str, tmp_path: Path) -> None:
    """Its port, and the tool registry, are told as the JARVIS daemon tells them; it ends when it is asked to."""
    command = [sys.executable, "-m", "arp_runtime", "serve", "--port", "{port}"]
    async with serving_daemon(jarvis_daemon, tmp_path) as url, _calling(url) as client:
        exec_ = {"driver": "command", "command_template": command}
        await _assert_works_and_ends(client, await _launch(client, exec_, tools_url, tmp_path))


@pytest.mark.timeout(_INSTALL_TIMEOUT_S)
async def test_our_runtime_is_installed_and_launched(jarvis_daemon: Path, tools_url: str, tmp_path: Path) -> None:
    """By its name and version, from wheels of this checkout: nothing that it needs is taken for something published."""
    folder = await anyio.to_thread.run_sync(wheels, tmp_path / "wheels", "model", "sdk", "service", "runtime")
    options = f"--pip-arg=--find-links={folder}"
    async with serving_daemon(jarvis_daemon, tmp_path, options) as url, _calling(url) as client:
        exec_ = {"driver": "pip", "pip_spec": "arp-runtime==1.0.0", "entrypoint": "arp-runtime"}
        await _assert_works_and_ends(client, await _launch(client, exec_, tools_url, tmp_path))
