"""prctl(2): the process attributes that keep an instance's tree in hand."""

from __future__ import annotations

import ctypes
import os
import signal

__all__ = ["become_dumpable", "become_subreaper", "die_with_parent", "renounce_new_privileges"]

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

# Loaded at import, because a forked child should only call it.
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    unused = ctypes.c_ulong(0)
    if _libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), unused, unused, unused) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"prctl({option}): {os.strerror(errno)}")


def become_subreaper() -> None:
    """Make orphans below this process its own children. Kept over exec, not inherited by a fork."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends. Kept over exec, not inherited by a fork.

    The signal comes when the *thread* that forked ends, so the parent must fork from its main thread. Running
    a setuid program, or changing the user, clears it.

    Raises:
        ProcessLookupError: the parent had ended before this call.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise ProcessLookupError(f"The parent {parent_pid} is gone.")


def renounce_new_privileges() -> None:
    """Gain none by setuid programs (no_new_privs). Kept over fork and exec, for ever."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def become_dumpable() -> None:
    """Own one's files in /proc again, which a change of user has given to root. An exec does so by itself.

    Others of the same user may then look into this process's memory.
    """
    _prctl(_PR_SET_DUMPABLE, 1)
