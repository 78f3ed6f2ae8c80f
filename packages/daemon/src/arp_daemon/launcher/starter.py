"""From a launch spec to a running root process, by exec or from a template."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import anyio

from arp_daemon.launcher.argv import find_program, substitute
from arp_daemon.launcher.child import LISTEN_FD
from arp_daemon.launcher.confinement import Confinement
from arp_daemon.launcher.limits import plan_limits
from arp_daemon.launcher.paths import INSTANCE_ID_VARIABLE, LAUNCHER_ID_VARIABLE
from arp_daemon.launcher.program import start_program
from arp_daemon.launcher.spawn import Program
from arp_daemon.launcher.template_pool import Job
from arp_service.processes import count_threads

if TYPE_CHECKING:
    from arp_daemon.launcher.capture import Output
    from arp_daemon.launcher.cgroups import Cgroups, Group
    from arp_daemon.launcher.endpoint import Endpoint
    from arp_daemon.launcher.protocol import Enforcement, LaunchSpec
    from arp_daemon.launcher.reaper import Child, Reaper
    from arp_daemon.launcher.template_pool import TemplatePool
    from arp_daemon.launcher.users import User

__all__ = ["Started", "Starter"]

_DEFAULT_CWD = "/"
# Programs that are executed at a time: each fork holds up the launcher's one thread for some 20 ms, most of them for
# a control group of the one before, and others shall have their turn.
_EXECS_AT_ONCE = 2


class Started(NamedTuple):
    """A root process that runs, its control group, and what holds its limits."""

    child: Child
    group: Group
    limits: dict[str, Enforcement]


class Starter:
    """Starts root processes for the instances of one launcher."""

    def __init__(self, reaper: Reaper, templates: TemplatePool, cgroups: Cgroups, launcher_id: str) -> None:
        self._reaper = reaper
        self._templates = templates
        self._cgroups = cgroups
        self._launcher_id = launcher_id
        self._turn = anyio.Semaphore(_EXECS_AT_ONCE)

    async def start(self, spec: LaunchSpec, user: User | None, endpoint: Endpoint, output: Output) -> Started:
        """Start what `spec` describes as `user` (None: this one), and return it running.

        Raises:
            InvalidSpecError: argv needs what `listen` does not provide.
            LaunchFailedError: it did not come up.
            OSError: the kernel refuses its control group.
        """
        argv = substitute(spec.argv, endpoint.placeholders)
        uid = os.geteuid() if user is None else user.uid
        plan = plan_limits(spec.limits, self._cgroups.controllers, uid, count_threads)
        group = self._cgroups.make(spec.instance_id, plan.group_files)
        confinement = Confinement(group.entrances, plan.rlimits, plan.nice, user)
        try:
            child = await self._start(spec, argv, confinement, _descriptors(endpoint, output, user))
        except BaseException:
            group.remove()
            raise
        return Started(child, group, plan.told)

    async def _start(self, spec: LaunchSpec, argv: list[str], confinement: Confinement, fds: dict[int, int]) -> Child:
        marks = {LAUNCHER_ID_VARIABLE: self._launcher_id, INSTANCE_ID_VARIABLE: spec.instance_id}
        home = confinement.user.variables if confinement.user else {}
        env = home | spec.env | marks
        cwd = spec.cwd or _DEFAULT_CWD
        if spec.template:
            return await self._templates.fork(spec.template, Job(argv, env, cwd, fds, confinement))
        path = find_program(argv[0], env, cwd)
        program = Program(path=path, argv=argv, env=env, cwd=cwd, fds=fds, confinement=confinement)
        async with self._turn:
            return await start_program(program, self._reaper)


def _descriptors(endpoint: Endpoint, output: Output, user: User | None) -> dict[int, int]:
    fds = {1: output.stdout.write_fd, 2: output.stderr.write_fd}
    if user is not None:
        for fd in fds.values():
            # Or /dev/stdout could not be opened by him, which many a program logs to.
            os.fchown(fd, user.uid, user.gid)
    return fds | ({LISTEN_FD: endpoint.socket.fileno()} if endpoint.socket else {})
