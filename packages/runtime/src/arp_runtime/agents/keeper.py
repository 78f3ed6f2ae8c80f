"""Keeps one command: passes its exit code on, and ends whatever it has started.

    python -I -S keeper.py PARENT_PID GRACE_S PROGRAM [ARGUMENT ...]

A process of its own, between the runtime and the command, of the standard library alone. It is a subreaper, so
every process that the command forks is below it, however often forked. When the command ends, what is left below is
killed. On SIGTERM, which also comes from the kernel when the runtime dies, the command's group is sent SIGTERM, and
after the grace everything is killed.

Not a part of the runtime's process: nothing here is imported.
"""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# As shells say it.
_CANNOT_EXECUTE = 126
_NOT_FOUND = 127
_BY_SIGNAL = 128


def main() -> None:
    """Start the command, wait for its end or for ours, leave nothing behind."""
    parent_pid, grace_s, *command = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    _set(_PR_SET_CHILD_SUBREAPER, 1)
    _set(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent_pid):
        sys.exit(_BY_SIGNAL + signal.SIGTERM)
    child = os.fork()
    if child == 0:
        _become(command)
    _let_go_of_descriptors()
    status = _wait(child, float(grace_s))
    status = _kill_all_below(child, status)
    sys.exit(_exit_code(status))


def _set(option: int, value: int) -> None:
    unused = ctypes.c_ulong(0)
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), unused, unused, unused)


def _become(command: list[str]) -> None:
    """In the child: turn into the command. Does not return."""
    try:
        os.setsid()
        _set(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that would be inherited
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        os.execvp(command[0], command)  # noqa: S606 - no shell is the point
    except OSError as exc:
        os.write(2, f"{command[0]}: {exc.strerror}\n".encode())
        os._exit(_NOT_FOUND if isinstance(exc, FileNotFoundError) else _CANNOT_EXECUTE)


def _let_go_of_descriptors() -> None:
    """The command's pipes are its own: who is on their other end is to see when it closes them."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _wait(child: int, grace_s: float) -> "int | None":
    """The child's wait status; None where it is still there when the grace after a SIGTERM is over."""
    ends_at = None
    while True:
        if ends_at is None:
            number = signal.sigwait(_WATCHED)
        else:
            info = signal.sigtimedwait(_WATCHED, max(ends_at - time.monotonic(), 0))
            if info is None:
                return None
            number = info.si_signo
        if number != signal.SIGCHLD:
            ends_at = ends_at or time.monotonic() + grace_s
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGTERM)
            continue
        status = _reap(child)
        if status is not None:
            return status


def _reap(child: int) -> "int | None":
    """Bury whoever has ended; the child's status if it is among them."""
    status = None
    with suppress(ChildProcessError):
        while True:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                status = ended
    return status


def _kill_all_below(child: int, status: "int | None") -> int:
    """Kill until no child is left: those of a killed one become ours. Returns the child's status."""
    while True:
        for pid in _children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, ended = os.waitpid(-1, 0)
        except ChildProcessError:
            return signal.SIGKILL if status is None else status
        if pid == child:
            status = ended


def _children() -> "list[int]":
    """The pids of this process's children, from the fourth field of /proc/PID/stat."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - pathlib would be most of the start
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
            fields = file.read().rpartition(b")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(int(name))
    return found


def _exit_code(status: int) -> int:
    return _BY_SIGNAL + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    main()
