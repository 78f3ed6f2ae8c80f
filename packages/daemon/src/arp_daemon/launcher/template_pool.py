"""The launcher's side of templates: one warm process for each `module:function`."""

from __future__ import annotations

import logging
import os
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec

from arp_daemon.launcher.capture import Output
from arp_daemon.launcher.child import LISTEN_FD
from arp_daemon.launcher.environment import reduce_environment
from arp_daemon.launcher.errors import LaunchFailedError
from arp_daemon.launcher.paths import LAUNCHER_ID_VARIABLE
from arp_daemon.launcher.program import read_status, start_program, until_running
from arp_daemon.launcher.spawn import Program
from arp_daemon.launcher.template import CONTROL_FD, GO, MAX_WORDS_BYTES, UNTOLD
from arp_service.processes import ProcessStat, kill_tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anyio.abc import TaskGroup

    from arp_daemon.launcher.confinement import Confinement
    from arp_daemon.launcher.reaper import Child, Reaper

__all__ = ["Job", "TemplatePool"]

_logger = logging.getLogger(__name__)

# A template's first fork waits for its imports.
_FORK_TIMEOUT = 30.0
# From a template's death to the end of what it said.
_LAST_WORDS_TIMEOUT = 2.0
# The process title of an instance has the room of its template's command line (setproctitle moves no
# environment here, because the mark in it must stay where the kernel shows it).
_TITLE_ROOM = " " * 200


class Job(NamedTuple):
    """What a forked instance is to be. `fds` holds stdout (1), stderr (2), and a listening socket (3) or none."""

    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    fds: Mapping[int, int]
    confinement: Confinement


class _NotForkedError(LaunchFailedError):
    """The template forked nothing, so nothing of the instance has run."""


class _Template:
    def __init__(self, child: Child, control: socket.socket, output: Output) -> None:
        self.child = child
        self.is_warm = False
        self.output = output
        self.ended = anyio.Event()
        self._control = control
        self._sending = anyio.Lock()

    async def send(self, argv: list[str], fds: list[int]) -> None:
        """Hand a request over; wait while the template's queue is full."""
        words = msgspec.json.encode(argv)
        request = words if len(words) <= MAX_WORDS_BYTES else UNTOLD
        async with self._sending:
            while True:
                try:
                    socket.send_fds(self._control, [request], fds)
                except BlockingIOError:
                    await anyio.wait_writable(self._control)
                else:
                    return

    def close(self) -> None:
        self._control.close()
        self.ended.set()


class TemplatePool:
    """Keeps templates, started when they are first asked for, and forks instances from them."""

    def __init__(self, task_group: TaskGroup, reaper: Reaper, logs: Path, launcher_id: str) -> None:
        self._task_group = task_group
        self._reaper = reaper
        self._logs = logs
        self._launcher_id = launcher_id
        self._templates: dict[str, _Template] = {}
        self._starting = anyio.Lock()

    def is_forking(self, stat: ProcessStat) -> bool:
        """Whether a child of the launcher is a fork that has not reported itself yet.

        It is still in its template's session, where no process of an instance can ever be.
        """
        return any(stat.session == template.child.identity.pid for template in self._templates.values())

    async def fork(self, target: str, job: Job) -> Child:
        """Return a new instance, forked from the template of `target`, that runs.

        Raises:
            LaunchFailedError: the template cannot import `target`, or the instance could not be set up.
        """
        template = await self._get(target)
        if template.is_warm:
            # It may have died since, unnoticed yet. Nothing has run then, so another one is asked.
            with suppress(_NotForkedError):
                return await self._fork(target, template, job)
            template = await self._get(target)
        return await self._fork(target, template, job)

    async def _fork(self, target: str, template: _Template, job: Job) -> Child:
        own, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with own:
            own.settimeout(0.0)
            with given:
                await self._send(template, job, given)
            pid = await self._receive_pid(template, own.fileno())
            if pid is None:
                raise await self._failure(target, template)
            template.is_warm = True
            child = self._reaper.watch(pid)
            own.send(GO)
            await until_running(child, own.fileno())
        return child

    async def _receive_pid(self, template: _Template, status_fd: int) -> int | None:
        """Return what the fork says first, or None if there is none."""
        try:
            with anyio.fail_after(_FORK_TIMEOUT):
                return int(await read_status(status_fd) or 0) or None
        except TimeoutError:
            await kill_tree(template.child.identity)
            return None

    async def _send(self, template: _Template, job: Job, status: socket.socket) -> None:
        job_fd = os.memfd_create("arp-job")
        try:
            told = {"argv": job.argv, "env": job.env, "cwd": job.cwd, "confinement": job.confinement}
            os.write(job_fd, msgspec.json.encode(told))
            listening = [job.fds[LISTEN_FD]] if LISTEN_FD in job.fds else []
            await template.send(job.argv, [job_fd, status.fileno(), job.fds[1], job.fds[2], *listening])
        except (BrokenPipeError, ConnectionResetError):
            # It has just ended; the status, which nobody holds now, says so too.
            return
        finally:
            os.close(job_fd)

    async def _failure(self, target: str, template: _Template) -> _NotForkedError:
        with anyio.move_on_after(_LAST_WORDS_TIMEOUT):
            await template.ended.wait()
        what = "ended before it forked" if template.ended.is_set() else "could not fork"
        tail = template.output.stderr.tail()
        return _NotForkedError(f"The template {target!r} {what} the instance.", tail)

    async def _get(self, target: str) -> _Template:
        async with self._starting:
            if template := self._templates.get(target):
                return template
            template = await self._start(target)
            self._templates[target] = template
            self._task_group.start_soon(self._follow, target, template)
            return template

    async def _start(self, target: str) -> _Template:
        own, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own.settimeout(0.0)
        output = Output(self._logs / f"_template.{target.replace(':', '.')}")
        output.start(self._task_group)
        command = [sys.executable, "-P", "-m", "arp_daemon.launcher.template", target, _TITLE_ROOM]
        marks = {LAUNCHER_ID_VARIABLE: self._launcher_id, "SPT_NOENV": "1"}
        program = Program(
            path=sys.executable,
            argv=command,
            env=reduce_environment(os.environ) | marks,
            cwd="/",
            fds={1: output.stdout.write_fd, 2: output.stderr.write_fd, CONTROL_FD: given.fileno()},
            subreaper=False,
        )
        with given:
            child = await start_program(program, self._reaper)
        output.close_write_ends()
        return _Template(child, own, output)

    async def _follow(self, target: str, template: _Template) -> None:
        await template.child.exited.wait()
        _logger.warning("template %s has ended", target)
        del self._templates[target]
        await self._reaper.kill_strays()
        await template.output.finish()
        template.close()

    async def close(self) -> None:
        """End all templates. Forks that are under way fail."""
        for template in list(self._templates.values()):
            await kill_tree(template.child.identity)
            await template.ended.wait()
