"""`arpctl` as people call it: a process of its own, with pipes or on a terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from contextvars import Context
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest

from arp_cli.cli import app
from arp_sdk.models import RunEvent, RunEventType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

PATIENCE_S = 60
_LINES, _COLUMNS = 40, 80
# What would change how it behaves, and is of whoever runs the tests.
_FOREIGN = {"ARP_DAEMON_URL", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


class Answer(NamedTuple):
    """What a call of arpctl left."""

    code: int
    out: str
    err: str


def call(*args: str, url: str, stdin: str = "") -> Answer:
    """Call it within this process, for tests that are many; what starts and ends a process is not in it."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        for name in _FOREIGN:
            patch.delenv(name, raising=False)
        patch.setenv("ARP_DAEMON_URL", url)
        with pytest.raises(SystemExit) as ended:
            # A context of its own: in that of the test an async fixture has left a note that a loop runs.
            Context().run(app.meta, args)
    out.seek(0)
    err.seek(0)
    return Answer(int(ended.value.code or 0), out.read(), err.read())


async def arpctl(*args: str, url: str, stdin: str = "", env: dict[str, str] | None = None) -> Answer:
    """Call it with pipes, and wait for its end."""
    with anyio.fail_after(PATIENCE_S):
        done = await anyio.run_process(
            command(*args), input=stdin.encode(), check=False, env=environment(ARP_DAEMON_URL=url, **(env or {}))
        )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def command(*args: str) -> list[str]:
    """The command line that calls it."""
    return [sys.executable, "-m", "arp_cli", *args]


def environment(**variables: str) -> dict[str, str]:
    """The environment that it gets."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, "TERM": "xterm-256color", **variables}


@asynccontextmanager
async def started(*args: str, url: str) -> AsyncIterator[Process]:
    """Call it with pipes, and let it run; at the end of the block it is killed if need be."""
    async with await anyio.open_process(
        command(*args), stdin=subprocess.DEVNULL, env=environment(ARP_DAEMON_URL=url)
    ) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def read_until(process: Process, text: str) -> str:
    """Read its stderr until it says something; return all that it said."""
    assert process.stderr is not None
    said = ""
    with anyio.fail_after(PATIENCE_S):
        while text not in said:
            said += (await process.stderr.receive()).decode()
    return said


def screen(written: str) -> list[str]:
    """The lines that a terminal shows after a program has written; it knows the few sequences that rich uses."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|[\s\S]", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines.extend([""] * (row + 1 - len(lines)))
        elif part.startswith("\x1b"):
            rows = int(part[2:-1] or 1) if part.endswith("A") else 0
            row -= rows
            lines[row] = "" if part == "\x1b[2K" else lines[row]
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


class Terminal:
    """A terminal with a program on it, and all that the program has written there."""

    def __init__(self, descriptor: int, process: Process) -> None:
        self._descriptor = descriptor
        self.process = process
        self.written = ""

    async def read_until(self, text: str) -> None:
        """Read until something is written."""
        with anyio.fail_after(PATIENCE_S):
            while text not in self.written and await self._read():
                pass
        assert text in self.written

    async def end(self) -> int:
        """Read until the program ends; return its exit code."""
        with anyio.fail_after(PATIENCE_S):
            while await self._read():
                pass
            return await self.process.wait()

    async def _read(self) -> bool:
        await anyio.wait_readable(self._descriptor)
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # EIO: no program has the terminal any more
            return False
        self.written += data.decode()
        return bool(data)


@asynccontextmanager
async def on_a_terminal(*args: str, url: str, **variables: str) -> AsyncIterator[Terminal]:
    """Call it on a terminal of 80 columns; at the end of the block it is killed if need be."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    env = environment(ARP_DAEMON_URL=url, **variables)
    process = await anyio.open_process(command(*args), stdin=its, stdout=its, stderr=its, env=env)
    os.close(its)
    try:
        async with process:
            try:
                yield Terminal(ours, process)
            finally:
                if process.returncode is None:
                    process.kill()
    finally:
        os.close(ours)


def run_event(type_: str, data: Any = None, seq: int = 0) -> RunEvent:
    """An event as a runtime sends it."""
    fields = {"run_id": "r1", "seq": seq, "type": RunEventType(type_).value, "time": "2026-01-02T03:04:05Z"}
    return RunEvent.from_dict({**fields, **({} if data is None else {"data": data})})
