"""What a forked child does to itself before it is the instance.

Everything here runs between fork and exec (or, in a template's child, before the instance's function): short,
and without a thought for the event loop, which is left behind in the parent.
"""

from __future__ import annotations

import fcntl
import os
import signal
from typing import TYPE_CHECKING

from arp_daemon.launcher.prctl import become_subreaper, die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LISTEN_FD", "become_root", "lift_fd", "place_fds", "reset_signals"]

LISTEN_FD = 3
"""Where an instance finds the socket that was bound for it."""

# Above every number that is placed, so that placing one never overwrites another's source.
_SAFE_FD = 64


def become_root(launcher_pid: int, *, subreaper: bool) -> None:
    """Die with the launcher, and keep one's orphans. Call when the user is the right one.

    Raises:
        ProcessLookupError: the launcher is gone.
        OSError: prctl failed.
    """
    die_with_parent(launcher_pid)
    if subreaper:
        become_subreaper()


def reset_signals() -> None:
    """Give every signal its default action, and block none."""
    signal.set_wakeup_fd(-1)
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def lift_fd(fd: int) -> int:
    """Return a close-on-exec duplicate of `fd` above every number that is placed."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _SAFE_FD)


def place_fds(placement: Mapping[int, int], *, inheritable: bool) -> None:
    """Duplicate descriptors to fixed numbers (`number: source`); 0, 1 and 2 are always inherited by an exec.

    Whatever had one of these numbers is closed: lift first what must stay.
    """
    sources = {number: lift_fd(fd) for number, fd in placement.items()}
    for number, source in sources.items():
        os.dup2(source, number, inheritable=inheritable or number <= 2)
        os.close(source)
