"""Programs that the runtime starts. The only module that starts any; each is under a keeper (`keeper.py`)."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import anyio

from arp_service.processes import identify, kill_tree

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from anyio.abc import ByteReceiveStream, Process

    from arp_service.stopping import Stop

_KEEPER = str(Path(__file__).with_name("keeper.py"))
# Between SIGTERM and SIGKILL; less than the grace that a run's agent has.
TERMINATE_GRACE_S = 2.0
# For the keeper to kill all that is left, which takes milliseconds.
_KEEPER_WAIT_S = 2.0


@asynccontextmanager
async def running(
    command: Sequence[str],
    env: Mapping[str, str],
    on_stderr: Callable[[bytes], None],
    own: Sequence[socket.socket] = (),
    grace_s: float = TERMINATE_GRACE_S,
) -> AsyncIterator[Process]:
    """A program with pipes to its stdin and stdout. At the end of the block it and all that it has started are gone.

    What still runs then gets SIGTERM, and SIGKILL after `grace_s` seconds; so it does when the runtime dies. Its
    return code is that of the program, or 128 and the number of the signal that ended it. `on_stderr` is given what
    it says there, to its last word. The sockets in `own` become the program's, under the same descriptors.
    """
    kept = _under_keeper(command, grace_s)
    fds = [passed.fileno() for passed in own]
    try:
        process = await anyio.open_process(
            kept, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env, pass_fds=fds, start_new_session=True
        )
    finally:
        for passed in own:
            passed.close()
    try:
        async with anyio.create_task_group() as tasks:
            assert process.stderr
            tasks.start_soon(_read, process.stderr, on_stderr)
            try:
                yield process
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process, grace_s)
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()


@asynccontextmanager
async def attached(
    command: Sequence[str], lent: Sequence[socket.socket], stop: Stop, grace_s: float
) -> AsyncIterator[Process]:
    """A program on this one's stdout and stderr, with sockets under the same descriptors. It is ended as in `running`.

    When the stop is hurried it is sent a second SIGTERM.
    """
    fds = [passed.fileno() for passed in lent]
    process = await anyio.open_process(
        _under_keeper(command, grace_s), stdin=DEVNULL, stdout=None, stderr=None, pass_fds=fds, start_new_session=True
    )
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
                async with stop.grace(grace_s):
                    await process.wait()
            await _end(process, grace_s)


def _under_keeper(command: Sequence[str], grace_s: float) -> list[str]:
    return [sys.executable, "-I", "-S", _KEEPER, str(os.getpid()), str(grace_s), *command]


async def _read(stderr: ByteReceiveStream, on_stderr: Callable[[bytes], None]) -> None:
    with anyio.CancelScope(shield=True):  # it ends with the program, and that is sure to end
        async for chunk in stderr:
            on_stderr(chunk)


async def _end(process: Process, grace_s: float) -> None:
    if process.returncode is not None:
        return
    identity = identify(process.pid)
    process.terminate()
    with anyio.move_on_after(grace_s + _KEEPER_WAIT_S):
        await process.wait()
        return
    if identity is not None:
        await kill_tree(identity)
    await process.wait()
