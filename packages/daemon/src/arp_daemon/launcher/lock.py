"""One launcher a data dir."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["EXIT_LOCKED", "DataDirLockedError", "hold_lock"]

EXIT_LOCKED = os.EX_TEMPFAIL
"""How a launcher exits that finds another one at work."""


class DataDirLockedError(Exception):
    """A launcher of this data dir lives already."""


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock for this process and the children it forks (flock(2)); an exec lets go of it.

    Raises:
        DataDirLockedError: another process holds it.
        OSError: the file cannot be opened.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataDirLockedError(f"Another launcher holds {path}.") from exc
        yield
    finally:
        os.close(fd)
