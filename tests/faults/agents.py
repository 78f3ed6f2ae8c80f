"""Agents that leave traces outside of the daemon, or misbehave. Served by our runtime, by name (`agents:recorded`)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from arp_runtime import AgentContext

# Long enough to be killed in the middle, short enough that 50 a second are done as they come.
_PAUSE_S = (0.005, 0.03)
_TOKENS = 4


async def recorded(context: AgentContext) -> str:
    """Write down that the work begins, do it, write down that it is done."""
    _write("begin", context)
    for number in range(_TOKENS):
        await context.emit_token(f"{number} ")
        await anyio.sleep(random.uniform(*_PAUSE_S))  # what work takes
    _write("end", context)
    return context.goal


async def waiting(context: AgentContext) -> None:
    """Begin, and never end by itself."""
    _write("begin", context)
    await context.step("waiting")
    await anyio.sleep_forever()


async def noted(context: AgentContext) -> str:
    """Write down that the work was done, at once."""
    _write("begin", context)
    _write("end", context)
    return context.goal


async def counting(context: AgentContext) -> None:
    """Say so many numbers, slowly enough to be watched."""
    for number in range(int(context.goal)):
        await context.emit_token(f"{number} ")
        await anyio.sleep(random.uniform(*_PAUSE_S))  # what work takes


async def flooding(context: AgentContext) -> None:
    """Say so many kilobytes as fast as can be."""
    for _ in range(int(context.goal)):
        await context.emit_token("x" * 1000)


async def bombing(context: AgentContext) -> None:
    """Start a program that forks itself and all its forks, as far as it may; never more than 2 ** 9."""
    fork = "try: os.fork()\n except OSError: pass"
    subprocess.Popen([sys.executable, "-S", "-c", f"import os, time\nfor _ in range(9):\n {fork}\ntime.sleep(600)"])  # noqa: ASYNC220
    await context.step("bombing")
    await anyio.sleep_forever()


async def hogging(context: AgentContext) -> str:
    """Take so many mebibytes, and write to all of them."""
    hoard = []
    for _ in range(int(context.goal)):
        hoard.append(bytearray(os.urandom(1024) * 1024))
        await anyio.lowlevel.checkpoint()
    return f"had {len(hoard)} MiB"


async def logging(context: AgentContext) -> str:
    """Write so many kilobytes to stderr, and as many to stdout."""
    await context.step("logging")
    for _ in range(int(context.goal)):
        for stream in (sys.stdout, sys.stderr):
            stream.write("x" * 1023 + "\n")
        await anyio.lowlevel.checkpoint()
    return "said all"


async def escaping(context: AgentContext) -> None:
    """Leave a grandchild in a session of its own, whose parents are gone, and never end."""
    script = "sh -c 'sleep 600 >/dev/null 2>&1 & echo $!'"
    done = subprocess.run(["setsid", "--fork", "sh", "-c", script], stdout=subprocess.PIPE, check=True)  # noqa: ASYNC221
    await context.step("escaped", pid=int(done.stdout))
    await anyio.sleep_forever()


def _write(phase: str, context: AgentContext) -> None:
    """One write with O_APPEND is whole, whoever else writes: it is on file when the next line of code runs."""
    fd = os.open(os.environ["FAULTS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{phase} {context.goal} {context.run_id} {os.getpid()}\n".encode())
    finally:
        os.close(fd)
