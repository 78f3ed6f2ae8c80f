"""A real `arp-runtime serve`, in a process of its own, for tests."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from subprocess import PIPE
from typing import TYPE_CHECKING

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from anyio.abc import ByteReceiveStream, Process

# A loaded machine takes its time to start Python; nobody waits as long where things work.
_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 20
_MAX_LOG_LINE = 1024 * 1024


@dataclass
class RunningRuntime:
    """A runtime that serves."""

    base_url: str
    process: Process
    log: list[str] = field(default_factory=list)
    """What it has written to stderr so far, line by line."""

    async def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        with anyio.fail_after(_STOP_TIMEOUT_S):
            return await self.process.wait()


@asynccontextmanager
async def running_runtime(
    *args: str,
    port: int = 0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    program: Sequence[str] = ("-m", "arp_runtime"),
) -> AsyncIterator[RunningRuntime]:
    """Start `arp-runtime serve --port PORT` with further arguments; yield it once it listens, stop it at the end.

    `program` is what this Python is given in place of `-m arp_runtime`.
    """
    command = [sys.executable, *program, "serve", "--port", str(port), *args]
    environment = {**os.environ, **(env or {})}
    async with await anyio.open_process(
        command, env=environment, cwd=cwd, pass_fds=pass_fds, stdin=None, stdout=None, stderr=PIPE
    ) as process:
        assert process.stderr is not None
        try:
            async with anyio.create_task_group() as tasks:
                runtime = RunningRuntime("", process)
                await tasks.start(_read_log, process.stderr, runtime)
                yield runtime
                if process.returncode is None:
                    await runtime.stop()
        finally:
            if process.returncode is None:
                process.kill()


async def _read_log(
    stderr: ByteReceiveStream, runtime: RunningRuntime, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    lines = BufferedByteReceiveStream(stderr)
    try:
        with anyio.fail_after(_START_TIMEOUT_S):
            runtime.base_url = await _find_url(lines, runtime)
        task_status.started()
        while True:
            await _read_line(lines, runtime)
    except (anyio.IncompleteRead, anyio.EndOfStream):
        if not runtime.base_url:
            raise RuntimeError("The runtime did not start:\n" + "\n".join(runtime.log)) from None


async def _find_url(lines: BufferedByteReceiveStream, runtime: RunningRuntime) -> str:
    while True:
        line = await _read_line(lines, runtime)
        if line.startswith("{"):
            entry = json.loads(line)
            if entry.get("event") == "listening":
                return str(entry["url"])


async def _read_line(lines: BufferedByteReceiveStream, runtime: RunningRuntime) -> str:
    line = (await lines.receive_until(b"\n", _MAX_LOG_LINE)).decode(errors="replace")
    runtime.log.append(line)
    return line
