"""JARVIS programs that serve, each on a port of its choice which it tells."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING

import anyio
import httpx
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import ByteReceiveStream

_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 10
_MAX_LINE = 65536


@asynccontextmanager
async def jarvis_serving(program: Path, *options: str, cwd: Path, port: str) -> AsyncIterator[str]:
    """Run it in a folder of its own; yield its URL once it has said a line in which `port` finds the number."""
    async with await anyio.open_process(
        [str(program), *options, "--port", "0"], stdin=None, stderr=STDOUT, stdout=PIPE, cwd=cwd
    ) as process:
        assert process.stdout is not None
        try:
            async with anyio.create_task_group() as tasks:
                lines = BufferedByteReceiveStream(process.stdout)
                with anyio.fail_after(_START_TIMEOUT_S):
                    number = await _find_port(lines, re.compile(port))
                tasks.start_soon(_discard, lines)
                yield f"http://127.0.0.1:{number}"
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                process.terminate()
                with anyio.move_on_after(_STOP_TIMEOUT_S):
                    await process.wait()


@asynccontextmanager
async def serving_tools(jarvis: Path, folder: Path) -> AsyncIterator[str]:
    """The published tool registry, from the programs of a venv; yield its URL."""
    program = jarvis / "arp-jarvis-tool-registry"
    async with jarvis_serving(program, cwd=folder, port=r"\bport=(\d+)") as url:
        yield url


@asynccontextmanager
async def serving_runtime(jarvis: Path, folder: Path, tools_url: str) -> AsyncIterator[str]:
    """The published runtime, which calls the tools of a registry; yield its URL."""
    program, options = jarvis / "arp-jarvis-runtime", ("serve", "--tool-registry-url", tools_url)
    async with jarvis_serving(program, *options, cwd=folder, port=r"\d', (\d+)\)") as url:
        yield url


@asynccontextmanager
async def serving_daemon(jarvis_daemon: Path, folder: Path, *options: str) -> AsyncIterator[str]:
    """The published daemon; yield its URL. It leaves its instances behind: they are deleted here."""
    program, data = jarvis_daemon / "arp-jarvis-daemon", ("--data-dir", str(folder / "jarvis-daemon"))
    async with jarvis_serving(program, *data, *options, cwd=folder, port=r"running on http://[\d.]+:(\d+)") as url:
        try:
            yield url
        finally:
            with anyio.CancelScope(shield=True):
                await _delete_instances(url)


async def _delete_instances(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_STOP_TIMEOUT_S) as client:
        for instance in (await client.get("/v1/instances")).json()["instances"]:
            await client.delete(f"/v1/instances/{instance['instance_id']}")


async def _find_port(lines: BufferedByteReceiveStream, pattern: re.Pattern[str]) -> str:
    while True:
        found = pattern.search((await lines.receive_until(b"\n", _MAX_LINE)).decode())
        if found:
            return found[1]


async def _discard(output: ByteReceiveStream) -> None:
    """A program whose pipe is full would stop."""
    async for _ in output:
        pass
