"""The data dir: one daemon at a time works in it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.settings import Settings


class DataDirError(Exception):
    """The data dir cannot be used as it is; the message names the cure."""


class DataDirInUseError(DataDirError):
    """Another daemon serves this data dir."""


@contextmanager
def locked_data_dir(settings: Settings) -> Iterator[None]:
    """Make the data dir where there is none, and hold its lock. The kernel frees it when the process dies.

    Raises:
        DataDirInUseError: another process holds it.
        DataDirError: it cannot be made or written.
    """
    data_dir = settings.data_dir
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(settings.lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        message = f"{data_dir} cannot be written ({exc.strerror}): make it writable, or use another --data-dir."
        raise DataDirError(message) from exc
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataDirInUseError(f"Another daemon serves {data_dir}: stop it, or use another --data-dir.") from exc
        yield
    finally:
        os.close(descriptor)
