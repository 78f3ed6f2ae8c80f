"""Into the background, but not before it is known whether the start succeeded."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["detach"]

_READY = b"ready"
# The log is read by people, and grows by a line for each start, stray and failure.
_MAX_LOG_BYTES = 1024 * 1024


def detach(log: Path) -> Callable[[], None]:
    """Go on in a child with a session of its own, whose stdout and stderr are appended to `log`.

    Returns in the child alone: what to call when it is ready. The calling process then exits with 0; if the
    child ends before, it exits as the child did, and says on stderr what the child wrote to the log.

    Raises:
        OSError: the log cannot be opened.
    """
    _rotate(log)
    log_fd = os.open(log, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    start = os.lseek(log_fd, 0, os.SEEK_END)
    ready_read, ready_write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(ready_write)
        _wait_ready(ready_read, pid, log_fd, start)
    os.close(ready_read)
    os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    for number, fd in ((0, null), (1, log_fd), (2, log_fd)):
        os.dup2(fd, number)
    for fd in (null, log_fd):
        os.close(fd)

    def on_ready() -> None:
        os.write(ready_write, _READY)
        os.close(ready_write)

    return on_ready


def _wait_ready(ready_read: int, pid: int, log_fd: int, start: int) -> NoReturn:
    if os.read(ready_read, len(_READY)) == _READY:
        sys.exit(os.EX_OK)
    _, wait_status = os.waitpid(pid, 0)
    said = os.pread(log_fd, _MAX_LOG_BYTES, start)
    sys.stderr.buffer.write(said)
    sys.exit(os.waitstatus_to_exitcode(wait_status) or os.EX_SOFTWARE)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
