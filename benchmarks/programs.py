"""The programs that are measured, each started for real: ours, the published ones, and the floor."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import httpx

from benchmarks.processes import Parts, listening_on
from support.daemon import RunningDaemon, running_daemon
from support.jarvis_program import jarvis_serving
from support.published import installed
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

GOAL = "What is (19*23)?"
HERE = Path(__file__).parent
AGENT = "./agents.py:agent"
"""For `arp.exec` and `arp-runtime serve --agent`, in this folder."""

_START_TIMEOUT_S = 30
_JARVIS_RUNTIME = ("arp-jarvis-runtime==0.1.0", "arp-jarvis-tool-registry==0.1.0")
_JARVIS_DAEMON = ("arp-jarvis-daemon==0.1.0",)
_JARVIS_PORT = r"(?:\bport=|\d', |127\.0\.0\.1:)(\d+)"


@dataclass(frozen=True)
class Program:
    """One that serves at a port of this machine."""

    port: int
    processes: Callable[[], Parts]

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def floor() -> AsyncIterator[Program]:
    """What the server can do at all: see `floor.py`."""
    command = [sys.executable, "-m", "benchmarks.floor"]
    async with await anyio.open_process(command, stdin=None, stdout=PIPE, stderr=None) as process:
        assert process.stdout is not None
        try:
            with anyio.fail_after(_START_TIMEOUT_S):
                port = int(await process.stdout.receive())
            yield _program("floor", f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


@asynccontextmanager
async def our_daemon(data_dir: Path, **exec_: Any) -> AsyncIterator[RunningDaemon]:
    """Our daemon; its profile `default` forks instances from a template, one where nothing else is said."""
    async with running_daemon(data_dir) as running:
        await running.put_profile(
            **{"driver": "runtime", "template": "arp_runtime.cli:main", "min": 1, "max": 1, **exec_}
        )
        yield running


def daemon_program(running: RunningDaemon) -> Program:
    """A daemon of ours, its processes told apart."""

    def processes() -> Parts:
        parts: Parts = {"arp-daemon": [], "launcher": [], "arp-runtime": []}
        for process in running.processes():
            words = " ".join(process.cmdline())
            if process.pid == running.process.pid:
                parts["arp-daemon"].append(process)
            elif "arp_daemon.launcher" in words or words.startswith("arp template"):
                parts["launcher"].append(process)
            else:
                parts["arp-runtime"].append(process)
        return parts

    return Program(_port(running.url), processes)


@asynccontextmanager
async def our_runtime(*args: str) -> AsyncIterator[Program]:
    """Our runtime, alone."""
    async with running_runtime(*args, cwd=HERE) as running:
        yield _program("arp-runtime", running.base_url)


@asynccontextmanager
async def peer_runtime(folder: Path) -> AsyncIterator[Program]:
    """arp-jarvis-runtime with the tool registry that it needs."""
    programs = await anyio.to_thread.run_sync(installed, "jarvis", *_JARVIS_RUNTIME)
    async with _tool_registry(programs, folder) as tools_url:
        options = ("serve", "--tool-registry-url", tools_url)
        async with jarvis_serving(programs / "arp-jarvis-runtime", *options, cwd=folder, port=_JARVIS_PORT) as url:
            yield _program("arp-jarvis-runtime", url, tools_url)


@asynccontextmanager
async def peer_daemon(folder: Path) -> AsyncIterator[Program]:
    """arp-jarvis-daemon, with a profile `jarvis` that starts the runtime."""
    runtimes = await anyio.to_thread.run_sync(installed, "jarvis", *_JARVIS_RUNTIME)
    programs = await anyio.to_thread.run_sync(installed, "jarvis-daemon", *_JARVIS_DAEMON)
    options = ("--data-dir", str(folder / "jarvis-daemon"))
    async with jarvis_serving(programs / "arp-jarvis-daemon", *options, cwd=folder, port=_JARVIS_PORT) as url:
        command = [str(runtimes / "arp-jarvis-runtime"), "serve", "--port", "{port}"]
        profile = {"extensions": {"arp.jarvis.exec": {"driver": "command", "command_template": command}}}
        await _call("PUT", f"{url}/v1/admin/runtime-profiles/jarvis", profile)
        yield _program("arp-jarvis-daemon", url)


async def register(daemon: Program, runtime: Program) -> Program:
    """Give the published daemon a runtime; return both as one program.

    One that it started itself would do: but that it gives one run at a time, and refuses all others.
    """
    await _call("POST", f"{daemon.url}/v1/instances:register", {"runtime_api_endpoint": runtime.url})
    return Program(daemon.port, lambda: {**daemon.processes(), **runtime.processes()})


@dataclass(frozen=True)
class Field:
    """All of them at once."""

    floor: Program
    peer_runtime: Program
    peer_daemon: Program
    """With the runtime."""
    runtime: Program
    daemon: Program


@asynccontextmanager
async def whole_field(folder: Path) -> AsyncIterator[Field]:
    """Every program, started. Those that do nothing cost nothing."""
    async with AsyncExitStack() as stack:
        bottom = await stack.enter_async_context(floor())
        peer = await stack.enter_async_context(peer_runtime(folder))
        both = await register(await stack.enter_async_context(peer_daemon(folder)), peer)
        runtime = await stack.enter_async_context(our_runtime())
        daemon = daemon_program(await stack.enter_async_context(our_daemon(folder / "data")))
        yield Field(bottom, peer, both, runtime, daemon)


@asynccontextmanager
async def _tool_registry(programs: Path, folder: Path) -> AsyncIterator[str]:
    async with jarvis_serving(programs / "arp-jarvis-tool-registry", cwd=folder, port=_JARVIS_PORT) as url:
        yield url


def _program(name: str, url: str, tools_url: str | None = None) -> Program:
    parts = {name: [listening_on(_port(url))]}
    if tools_url is not None:
        parts["arp-jarvis-tool-registry"] = [listening_on(_port(tools_url))]
    return Program(_port(url), lambda: parts)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _call(method: str, url: str, body: dict[str, Any]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=_START_TIMEOUT_S) as client:
        (await client.request(method, url, json=body)).raise_for_status()
