"""Starting a program: fork and exec, with a word on how it went.

The launcher has one thread, so it may run Python between fork and exec; nothing else in the project does.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from arp_daemon.launcher.child import become_root, lift_fd, place_fds, reset_signals
from arp_daemon.launcher.confinement import Confinement

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Program", "fork_exec"]

_EXIT_NOT_STARTED = 127


class Program(NamedTuple):
    """What is to be executed. `fds` are placed as `number: source`; stdin is empty, and all others closed."""

    path: str
    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    fds: Mapping[int, int]
    subreaper: bool = True
    confinement: Confinement = Confinement()


def fork_exec(program: Program) -> tuple[int, int]:
    """Fork and execute. Return the pid, and a pipe that ends when the program runs.

    Before its end the pipe carries why it could not be started, if so. Call from the main thread: the child's
    parent-death signal is bound to it.
    """
    launcher_pid = os.getpid()
    status_read, status_write = os.pipe2(os.O_CLOEXEC)
    # A signal that reached the child before its handlers are reset would write to the parent's wake-up pipe.
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(program, launcher_pid, status_write)
    except OSError:
        os.close(status_read)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(status_write)
    os.set_blocking(status_read, False)
    return pid, status_read


def _become(program: Program, launcher_pid: int, status_write: int) -> NoReturn:
    step = "set up the process"
    try:
        reset_signals()
        os.setsid()
        program.confinement.enter()
        status_write = lift_fd(status_write)
        place_fds({0: os.open(os.devnull, os.O_RDONLY), **program.fds}, inheritable=True)
        program.confinement.apply()
        become_root(launcher_pid, subreaper=program.subreaper)
        step = f"enter {program.cwd}"
        os.chdir(program.cwd)
        step = f"execute {program.path}"
        os.execve(program.path, program.argv, program.env)  # noqa: S606 - no shell is the point
    except (MemoryError, OSError, ValueError) as exc:
        reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or type(exc).__name__
        os.write(status_write, f"Cannot {step}: {reason}.".encode())
    finally:
        os._exit(_EXIT_NOT_STARTED)
