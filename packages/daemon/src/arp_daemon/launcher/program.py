"""Executing a program as a child that is known to run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher.errors import LaunchFailedError
from arp_daemon.launcher.spawn import fork_exec
from arp_service.processes import kill_tree

if TYPE_CHECKING:
    from arp_daemon.launcher.reaper import Child, Reaper
    from arp_daemon.launcher.spawn import Program

__all__ = ["read_status", "start_program", "until_running"]

# From fork to exec, or to a template's function. It takes milliseconds; only a working directory on a hung file
# system takes longer.
_SETUP_TIMEOUT = 10.0
_STATUS_BYTES = 4096


async def start_program(program: Program, reaper: Reaper) -> Child:
    """Execute `program`, and return it when it runs.

    Raises:
        LaunchFailedError: it could not be executed.
    """
    pid, status_fd = fork_exec(program)
    child = reaper.watch(pid)
    try:
        await until_running(child, status_fd)
    finally:
        os.close(status_fd)
    return child


async def until_running(child: Child, status_fd: int) -> None:
    """Wait until a new child's status ends: it then runs what it is for.

    Raises:
        LaunchFailedError: it said why it cannot, or nothing for too long. It has been reaped.
    """
    reason = ""
    try:
        with anyio.fail_after(_SETUP_TIMEOUT):
            while said := await read_status(status_fd):
                reason += said.decode(errors="replace")
    except TimeoutError:
        reason = f"The process was not set up within {_SETUP_TIMEOUT:.0f} s."
        await kill_tree(child.identity)
    if reason:
        await child.exited.wait()
        raise LaunchFailedError(reason)


async def read_status(status_fd: int) -> bytes:
    """Return what a child says before it runs; nothing at the end."""
    await anyio.wait_readable(status_fd)
    return os.read(status_fd, _STATUS_BYTES)
