"""Giving the load its jobs, and looking at the processes that bear it while it is measured."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.processes import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import Process

    from benchmarks.programs import Program

_JOB_TIMEOUT_S = 300
_MAX_LINE = 64 * 1024 * 1024
LOAD = "load"
"""The load's own part in CPU times."""


class LoadError(Exception):
    """The load did not get through: what it measured is not what was asked for."""


class Outcome(NamedTuple):
    """What a job gave, and the CPU seconds of each part of the program, and of the load, while it was measured."""

    figures: dict[str, Any]
    cpu: dict[str, float]


async def perform(
    program: Program, job: str, *, at_ready: Callable[[], Awaitable[None]] | None = None, **arguments: Any
) -> Outcome:
    """Have the load do a job on a program; `at_ready` is awaited when it is ready, before it is measured.

    Raises:
        LoadError: a request was refused, or the load failed.
    """
    with anyio.fail_after(_JOB_TIMEOUT_S):
        async with _load() as load:
            await load.say({"job": job, "port": program.port, **arguments})
            await load.until_stage("ready")
            if at_ready is not None:
                await at_ready()
            parts = program.processes()
            before = cpu_seconds(parts)
            await load.say()
            await load.until_stage("measured")
            after = cpu_seconds(parts)
            await load.say()
            figures = await load.hear()
    refused = {status for status in figures.get("statuses", {}) if not 200 <= int(status) < 300}
    if refused:
        raise LoadError(f"{job}: answers with status {figures['statuses']}")
    cpu = {name: after[name] - before[name] for name in parts}
    return Outcome(figures, {**cpu, LOAD: figures["cpu_s"]})


class _Load:
    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin = process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def say(self, job: dict[str, Any] | None = None) -> None:
        await self._stdin.send((json.dumps(job) if job else "").encode() + b"\n")

    async def hear(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads(await self._lines.receive_until(b"\n", _MAX_LINE))
        except anyio.IncompleteRead:
            raise LoadError("The load failed; it says above why.") from None
        return said

    async def until_stage(self, name: str) -> None:
        said = await self.hear()
        assert said == {"stage": name}, said


@asynccontextmanager
async def _load() -> AsyncIterator[_Load]:
    command = [sys.executable, "-m", "benchmarks.load"]
    async with await anyio.open_process(command, stdin=PIPE, stdout=PIPE, stderr=None) as process:
        try:
            yield _Load(process)
        finally:
            if process.returncode is None:
                process.terminate()
