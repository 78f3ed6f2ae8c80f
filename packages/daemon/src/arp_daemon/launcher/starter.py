"""From a launch spec to a running root process, by exec or from a template."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher.argv import find_program, substitute
from arp_daemon.launcher.child import LISTEN_FD
from arp_daemon.launcher.errors import LaunchFailedError
from arp_daemon.launcher.paths import INSTANCE_ID_VARIABLE, LAUNCHER_ID_VARIABLE
from arp_daemon.launcher.spawn import Program, fork_exec
from arp_service.processes import kill_tree

if TYPE_CHECKING:
    from arp_daemon.launcher.capture import Output
    from arp_daemon.launcher.endpoint import Endpoint
    from arp_daemon.launcher.protocol import LaunchSpec
    from arp_daemon.launcher.reaper import Child, Reaper

__all__ = ["DEFAULT_CWD", "Starter", "start_program"]

DEFAULT_CWD = "/"
# From fork to exec. It takes milliseconds; only a working directory on a hung file system takes longer.
_EXEC_TIMEOUT = 10.0


class Starter:
    """Starts root processes for the instances of one launcher."""

    def __init__(self, reaper: Reaper, launcher_id: str) -> None:
        self._reaper = reaper
        self._launcher_id = launcher_id

    async def start(self, spec: LaunchSpec, endpoint: Endpoint, output: Output) -> Child:
        """Start what `spec` describes, and return it running.

        Raises:
            InvalidSpecError: argv needs what `listen` does not provide.
            LaunchFailedError: it did not come up.
        """
        argv = substitute(spec.argv, endpoint.placeholders)
        marks = {LAUNCHER_ID_VARIABLE: self._launcher_id, INSTANCE_ID_VARIABLE: spec.instance_id}
        env = spec.env | marks
        fds = {1: output.stdout.write_fd, 2: output.stderr.write_fd}
        if endpoint.socket:
            fds[LISTEN_FD] = endpoint.socket.fileno()
        cwd = spec.cwd or DEFAULT_CWD
        program = Program(path=find_program(argv[0], env, cwd), argv=argv, env=env, cwd=cwd, fds=fds)
        return await start_program(program, self._reaper)


async def start_program(program: Program, reaper: Reaper) -> Child:
    """Execute `program`, and return it when it runs.

    Raises:
        LaunchFailedError: it could not be executed.
    """
    pid, status_fd = fork_exec(program)
    child = reaper.watch(pid)
    try:
        reason = await _read_status(status_fd)
    except TimeoutError:
        await kill_tree(child.identity)
        reason = f"Cannot execute {program.path} within {_EXEC_TIMEOUT:.0f} s."
    finally:
        os.close(status_fd)
    if reason:
        await child.exited.wait()
        raise LaunchFailedError(reason)
    return child


async def _read_status(fd: int) -> str:
    """Return what the child says before it executes its program: nothing, or why it cannot."""
    said = b""
    with anyio.fail_after(_EXEC_TIMEOUT):
        while True:
            await anyio.wait_readable(fd)
            data = os.read(fd, 4096)
            if not data:
                return said.decode(errors="replace")
            said += data
