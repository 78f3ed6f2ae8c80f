"""A real `arp-daemon serve`, in a process of its own, for tests; killed and started again at will."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import psutil

from arp_daemon.launcher import open_launcher
from arp_sdk._sse import SseParser
from support.waiting import until_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Process

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 30
_TERMINAL = {"succeeded", "failed", "canceled"}
# Launches by exec, one instance at most: what a test changes, it puts.
EXEC = {"driver": "runtime", "max": 1}
_BUILT_IN: dict[str, Any] = {"driver": "runtime", "template": "arp_runtime.cli:main", "max": 4}
_PROFILES = "/v1/admin/runtime-profiles"


class RunningDaemon:
    """A daemon on a data dir, and what tests ask of it."""

    client: httpx.AsyncClient
    process: Process
    program: tuple[str, ...] = ("-m", "arp_daemon")
    """What Python is given to be a daemon."""
    url: str

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    async def start(self, *args: str) -> None:
        """Start it; returns when it listens."""
        await self.spawn(*args)
        await self.until_listening()

    async def spawn(self, *args: str) -> None:
        """Start its process, and wait for nothing."""
        port = [] if "--port" in args else ["--port", "0"]
        command = [sys.executable, *self.program, "serve", *port, "--data-dir", str(self.data_dir), *args]
        with self._log.open("wb") as stderr:
            self.process = await anyio.open_process(command, stdin=None, stdout=None, stderr=stderr)

    async def until_listening(self) -> None:
        """Wait until it listens."""
        with anyio.fail_after(_START_TIMEOUT_S):
            self.url = await self._find_url(self._log)
        self.client = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30)

    async def stop(self, *, signum: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal; return its exit code."""
        with suppress(ProcessLookupError):  # it was told to stop before, and has
            self.process.send_signal(signum)
        with anyio.fail_after(_STOP_TIMEOUT_S):
            code = await self.process.wait()
        await self.process.aclose()
        await self.client.aclose()
        return code

    async def kill(self) -> None:
        """SIGKILL: its launcher and instances stay."""
        await self.stop(signum=signal.SIGKILL)

    async def get(self, path: str) -> Any:
        """GET a path and return its JSON; anything but 2xx is a failure of the test."""
        response = await self.client.get(path)
        assert response.is_success, response.text
        return response.json()

    async def put_profile(self, name: str = "default", **exec_: Any) -> None:
        """Upsert a profile that launches."""
        body = {"extensions": {"arp.exec": exec_ or EXEC}}
        response = await self.client.put(f"{_PROFILES}/{name}", json=body)
        assert response.is_success, response.text

    async def submit(self, goal: str, **parts: Any) -> str:
        """Submit a run and return its id."""
        response = await self.client.post("/v1/runs", json={"input": {"goal": goal}, **parts})
        assert response.status_code == 202, response.text
        return str(response.json()["run_id"])

    async def follow(self, run_id: str, after: int | None = None) -> AsyncIterator[dict[str, Any]]:
        """Yield the run's events until its stream ends."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        async with self.client.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as response:
            assert response.is_success, await response.aread()
            parser = SseParser()
            async for chunk in response.aiter_raw():
                for shown in parser.feed(chunk):
                    event = json.loads(shown.data)
                    assert (shown.id, shown.type) == (str(event["seq"]), event["type"])
                    yield event

    async def events(self, run_id: str, after: int | None = None) -> list[dict[str, Any]]:
        """All events of a run, to its end."""
        with anyio.fail_after(30):
            return [event async for event in self.follow(run_id, after)]

    async def until_event(self, run_id: str, type_: str) -> None:
        """Wait until the run has said something of a type."""
        with anyio.fail_after(30):
            async for event in self.follow(run_id):
                if event["type"] == type_:
                    return
        raise AssertionError(f"run {run_id} ended without a {type_} event")

    async def until_stopping(self) -> None:
        """Wait until it says that it is about to stop, or that something else is not as it should be."""
        await until_answer(lambda: self.get("/v1/health"), lambda health: health["status"] != "ok")

    async def end(self, run_id: str) -> dict[str, Any]:
        """Wait for the run's end and return its status."""
        await self.events(run_id)
        status = await self.get(f"/v1/runs/{run_id}")
        assert status["state"] in _TERMINAL
        return dict(status)

    async def result(self, run_id: str) -> dict[str, Any]:
        """Wait for the run's end and return its result."""
        await self.end(run_id)
        return dict(await self.get(f"/v1/runs/{run_id}/result"))

    async def instances(self) -> list[dict[str, Any]]:
        """What `GET /v1/instances` shows."""
        return list((await self.get("/v1/instances"))["instances"])

    async def tidy(self) -> None:
        """End all runs, take away what a test has launched, registered and put: all is as it was, but for the past."""
        (await self.client.post("/v1/runs:cancel", json={"all": True})).raise_for_status()
        await self.put_profile(**_BUILT_IN)
        for name in {p["runtime_profile"] for p in (await self.get(_PROFILES))["profiles"]} - {"default"}:
            (await self.client.delete(f"{_PROFILES}/{name}?force=true")).raise_for_status()
        for instance in await self.instances():
            await self.client.post(f"/v1/instances/{instance['instance_id']}:drain?grace_ms=0")
        await until_answer(self.instances, lambda found: not found)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this data dir: the daemon, its launcher, templates and instances."""
        marker = str(self.data_dir)
        named = [p for p in psutil.process_iter() if _belongs(p, marker)]
        return list({*named, *(child for p in named for child in p.children(recursive=True))})

    def words(self) -> str:
        """What it has said on stderr since its last start."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self.data_dir.with_suffix(".log")

    async def _find_url(self, log: Path) -> str:
        """Its log is a file, so that a killed daemon's words are kept: it is read until the line is there."""
        while True:
            text = await anyio.Path(log).read_text()
            for line in text.splitlines():
                if '"listening"' in line:
                    return str(json.loads(line)["url"])
            if self.process.returncode is not None:
                raise RuntimeError(f"The daemon did not start:\n{text}")
            await anyio.sleep(0.02)


@asynccontextmanager
async def running(daemon: RunningDaemon, *args: str) -> AsyncIterator[None]:
    """Start a daemon; at the end stop it, or what it left behind."""
    await daemon.start(*args)
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            code = await daemon.stop()
            if code == -signal.SIGKILL:
                async with open_launcher(daemon.data_dir) as launcher:
                    await launcher.shutdown(0)


@asynccontextmanager
async def running_daemon(data_dir: Path, *args: str) -> AsyncIterator[RunningDaemon]:
    """A daemon on a data dir while the block runs."""
    daemon = RunningDaemon(data_dir)
    async with running(daemon, *args):
        yield daemon


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that is only not reaped yet does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _belongs(process: psutil.Process, marker: str) -> bool:
    try:
        return marker in " ".join(process.cmdline()) or marker in " ".join(process.environ().values())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
