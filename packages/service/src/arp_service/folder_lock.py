"""One process at a time works in a data folder."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FolderInUseError(Exception):
    """Another process works in the folder."""


@contextmanager
def locked_folder(folder: Path, who: str) -> Iterator[None]:
    """Hold the lock `FOLDER/WHO.lock`. The kernel frees it when the process dies, however it does.

    Raises:
        FolderInUseError: another process holds it; the message names the cure.
        OSError: the lock file cannot be made.
    """
    descriptor = os.open(folder / f"{who}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise FolderInUseError(f"Another {who} works in {folder}: stop it, or use another --data-dir.") from exc
        yield
    finally:
        os.close(descriptor)
