"""`python -m arp_daemon.launcher.template module:function`: a warm process that instances are forked from.

It imports the function once, and then forks whenever the launcher asks. An instance so made costs milliseconds
and shares its pages. Where the module has a function `warm_up`, it is called before the first fork, to do what each
instance would do anew; where it has a function `prepare`, that is called with each command line before the first fork
that gets it. Started by the launcher alone (`template_pool`), which is on the other end of fd 3; each request there is
the words of the command line (JSON), with these descriptors: the job (JSON in a memfd, for only the fork may know its
environment), the instance's end of a socket pair to the launcher, stdout, stderr, and the listening socket if there is
one.

The instance becomes a child of the launcher, as if the launcher had forked it: the template forks a child that
forks the instance and ends, so that the kernel re-parents the instance to the next subreaper above, which is
the launcher. It says its pid, and waits until the launcher has taken charge of it, so that its end is never
missed; then it leaves the template's session and binds its death to the launcher's. On the socket pair it says
why it could not be set up, or nothing, and closes it when the function is about to run.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from setproctitle import setproctitle

from arp_daemon.launcher.child import LISTEN_FD, become_root, place_fds
from arp_daemon.launcher.confinement import Confinement
from arp_daemon.launcher.prctl import become_dumpable

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[[], int | str | None]
    Prepare = Callable[[list[str]], None]

__all__ = ["CONTROL_FD", "GO", "MAX_WORDS_BYTES", "UNTOLD", "main"]

CONTROL_FD = LISTEN_FD
"""The launcher's end is on the number that an instance's socket gets, so that nothing else ever takes it."""

GO = b"g"
"""What lets a forked instance go on."""

MAX_WORDS_BYTES = 4096
"""A command line that takes more is not told to the template, but only to its fork."""

UNTOLD = b"[]"
"""What the template is told then."""

_MAX_FDS = 5
# Which have been prepared is remembered, and so is what that has made: of so many, if there are ever so many.
_MAX_COMMAND_LINES = 100


def main() -> None:
    """Serve forks until the launcher closes the other end; in a forked instance, run its function."""
    launcher_pid = os.getppid()
    control = socket.socket(fileno=CONTROL_FD)
    target = sys.argv[1]
    function, prepare = _load(target)
    # Called now, because it looks at the environment when it is called first.
    setproctitle(f"arp template {target}")
    sys.stdout.flush()
    _share()
    if _serve(control, launcher_pid, prepare):
        sys.exit(function())


def _load(target: str) -> tuple[Function, Prepare | None]:
    module_name, _, function_name = target.partition(":")
    module = importlib.import_module(module_name)
    warm_up = getattr(module, "warm_up", None)
    if warm_up is not None:
        warm_up()
    return cast("Function", getattr(module, function_name)), getattr(module, "prepare", None)


def _share() -> None:
    """Objects made until now stay out of collections, which would write to, and so copy, shared pages."""
    gc.collect()
    gc.freeze()


def _serve(control: socket.socket, launcher_pid: int, prepare: Prepare | None) -> bool:
    """Fork on request. True in a forked instance that is ready to run, False at the end of the template."""
    prepared = {UNTOLD}
    while True:
        request, fds, _, _ = socket.recv_fds(control, MAX_WORDS_BYTES, _MAX_FDS, socket.MSG_CMSG_CLOEXEC)
        if not request:
            return False
        if prepare is not None and request not in prepared and len(prepared) <= _MAX_COMMAND_LINES:
            prepare(json.loads(request))
            prepared.add(request)
            _share()
        if _fork_instance():
            control.close()
            _become_instance(fds, launcher_pid)
            return True
        for fd in fds:
            os.close(fd)


def _fork_instance() -> bool:
    """Return True in the forked instance, once it is a child of the launcher; False in the template."""
    gate_read, gate_write = os.pipe()
    middle_pid = os.fork()
    if middle_pid == 0:
        os.close(gate_write)
        _fork_from_middle(gate_read)
        os.close(gate_read)
        return True
    os.waitpid(middle_pid, 0)
    os.close(gate_read)
    with suppress(BrokenPipeError):
        os.write(gate_write, GO)
    os.close(gate_write)
    return False


def _fork_from_middle(gate_read: int) -> None:
    """Fork, and end in the parent; in the child, return once that is reaped, and so this one re-parented."""
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        os._exit(1)
    if os.read(gate_read, 1) != GO:
        os._exit(1)


def _become_instance(fds: list[int], launcher_pid: int) -> None:
    """Turn this fork into the instance that the job describes; end it where that fails."""
    job_fd, status_fd, stdout, stderr, *listening = fds
    try:
        status = socket.socket(fileno=status_fd)
        status.send(str(os.getpid()).encode())
        if status.recv(1) != GO:
            os._exit(1)
    except OSError:
        # The launcher waits no more.
        os._exit(1)
    try:
        job = json.loads(Path(f"/proc/self/fd/{job_fd}").read_bytes())
        os.close(job_fd)
        confinement = Confinement.from_json(job["confinement"])
        os.setsid()
        confinement.enter()
        _place(stdout, stderr, listening)
        _take_over(job["argv"], job["env"])
        confinement.apply()
        become_dumpable()
        become_root(launcher_pid, subreaper=True)
        os.chdir(job["cwd"])
    except (MemoryError, OSError, ValueError) as exc:
        _give_up(status, f"Cannot set up the process: {str(exc) or type(exc).__name__}.")
    status.close()


def _give_up(status: socket.socket, reason: str) -> NoReturn:
    try:
        status.send(reason.encode())
    finally:
        os._exit(1)


def _place(stdout: int, stderr: int, listening: list[int]) -> None:
    placement = {1: stdout, 2: stderr}
    if listening:
        placement[LISTEN_FD] = listening[0]
    # Not inherited by what the instance executes, unlike after an exec: it was given to this program alone.
    place_fds(placement, inheritable=False)
    for fd in (stdout, stderr, *listening):
        os.close(fd)
    if isinstance(sys.stdout, TextIOWrapper):
        # What an instance says is looked for when it has said it, not when a buffer is full.
        sys.stdout.reconfigure(line_buffering=True)


def _take_over(argv: list[str], env: dict[str, str]) -> None:
    """Become the program with this argv and environment, as far as a running interpreter can."""
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    # The interpreter reads it only at its start.
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv[:] = argv
    setproctitle(" ".join(argv))


if __name__ == "__main__":
    main()
