"""From a launch spec to a running root process, by exec or from a template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.launcher.argv import find_program, substitute
from arp_daemon.launcher.child import LISTEN_FD
from arp_daemon.launcher.paths import INSTANCE_ID_VARIABLE, LAUNCHER_ID_VARIABLE
from arp_daemon.launcher.program import start_program
from arp_daemon.launcher.spawn import Program
from arp_daemon.launcher.template_pool import Job

if TYPE_CHECKING:
    from arp_daemon.launcher.capture import Output
    from arp_daemon.launcher.endpoint import Endpoint
    from arp_daemon.launcher.protocol import LaunchSpec
    from arp_daemon.launcher.reaper import Child, Reaper
    from arp_daemon.launcher.template_pool import TemplatePool

__all__ = ["Starter"]

_DEFAULT_CWD = "/"


class Starter:
    """Starts root processes for the instances of one launcher."""

    def __init__(self, reaper: Reaper, templates: TemplatePool, launcher_id: str) -> None:
        self._reaper = reaper
        self._templates = templates
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
        cwd = spec.cwd or _DEFAULT_CWD
        if spec.template:
            return await self._templates.fork(spec.template, Job(argv, env, cwd, fds))
        program = Program(path=find_program(argv[0], env, cwd), argv=argv, env=env, cwd=cwd, fds=fds)
        return await start_program(program, self._reaper)
