"""One process at a time works in a data folder."""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LockedError(Exception):
    """Another process holds the lock."""


class FolderError(Exception):
    """The folder cannot be used as it is; the message names the cure."""


class FolderInUseError(FolderError):
    """Another process works in the folder."""


@contextmanager
def locked_folder(folder: Path, who: str) -> Iterator[None]:
    """Make the folder where there is none, and hold the lock `FOLDER/WHO.lock`.

    Raises:
        FolderInUseError: another process holds it.
        FolderError: the folder cannot be made or written.
    """
    with ExitStack() as stack:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stack.enter_context(hold_lock(folder / f"{who}.lock"))
        except LockedError as exc:
            raise FolderInUseError(f"Another {who} serves {folder}: stop it, or use another --data-dir.") from exc
        except OSError as exc:
            message = f"{folder} cannot be written ({exc.strerror}): make it writable, or use another --data-dir."
            raise FolderError(message) from exc
        yield


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock file for this process and the children it forks (flock(2)); an exec lets go of it.

    The kernel frees it when the process dies, however it does.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise LockedError(f"Another process holds {path}.") from exc
        yield
    finally:
        os.close(descriptor)
