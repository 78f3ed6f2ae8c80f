"""The load, on real sockets: what it reads is what was sent, and what it counts is what came."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from benchmarks.fan_out import FanOut
from benchmarks.load.connection import connect, request
from benchmarks.loading import LoadError, perform
from benchmarks.programs import floor

from contracts.tree import ROOT

if TYPE_CHECKING:
    from benchmarks.programs import Program

_PLAIN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello"
_EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nid:\r\n12\r\n 0\r\nwith\r\na break!\r\n0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_answers_are_read_however_they_are_cut(size: int) -> None:
    """Three on one connection, in pieces: with a length, with none, and in chunks."""
    wanted = [(202, b"hello"), (204, b""), (200, b"id: 0\r\nwith\r\na break!")]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (_PLAIN, _EMPTY, _CHUNKED):
            await reader.readuntil(b"\r\n\r\n")
            for start in range(0, len(answer), size):
                writer.write(answer[start : start + size])
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        connection = await connect(server.sockets[0].getsockname()[1])
        assert [tuple(await connection.ask(request("GET", "/"))) for _ in wanted] == wanted
        for _ in range(2):  # the second time it is closed before it is used
            with pytest.raises(ConnectionError):
                await connection.ask(request("GET", "/"))


async def test_the_load_measures_the_floor() -> None:
    """Every request is answered, and the CPU time of both processes is told."""
    async with floor() as program:
        outcome = await _submit(program, "hello")
        assert outcome == {"floor", "load"}


async def test_what_is_refused_is_no_figure() -> None:
    """An answer that is none of success ends the measurement."""
    async with floor() as program:
        with pytest.raises(LoadError, match="status"):
            await _submit(program, "no run")


async def test_watchers_of_the_floor_see_each_event() -> None:
    """Three watchers, two bursts of five."""
    async with floor() as program:

        async def begin() -> None:
            async with httpx.AsyncClient(base_url=program.url, trust_env=False) as client:
                (await client.post("/fan-out", content=msgspec.json.encode(FanOut(2, 5, 0.0)))).raise_for_status()

        outcome = await perform(program, "watch", at_ready=begin, path="/fan-out", watchers=3)
    assert (outcome.figures["events"], outcome.figures["complete"]) == (30, 3)


async def _submit(program: Program, goal: str) -> set[str]:
    parts = {"input": {"goal": goal}} if goal != "no run" else {"input": goal}
    outcome = await perform(program, "submit", connections=2, prefix="run", count=20, parts=parts, ends="answer")
    assert outcome.figures["statuses"] == {"202": 20}
    return set(outcome.cpu)


def test_a_row_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    """Before anything is started."""
    command = [sys.executable, "-m", "benchmarks", "--only", "run"]
    env = {"PYTHONPATH": "tests"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "daemon-runs" in done.stderr
