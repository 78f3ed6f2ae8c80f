"""Output on disk: bounded by rotation, read from its end."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["RotatedLog", "prune_logs", "tail_lines"]

_MAX_BYTES = 1024 * 1024
# What one tail returns at most, whatever number of lines was asked for.
_TAIL_BYTES = 256 * 1024


class RotatedLog:
    """A log of at most two files, `path` and the older `path`.1, of at most `max_bytes` each."""

    def __init__(self, path: Path, max_bytes: int = _MAX_BYTES) -> None:
        """Open for appending.

        Raises:
            OSError: the file cannot be opened.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._fd = _open(path)
        self._size = os.fstat(self._fd).st_size

    def write(self, data: bytes) -> None:
        """Append `data`; of more than fits one file, the last part.

        Raises:
            OSError: the disk is full or failing. The log stays usable.
        """
        data = data[-self._max_bytes :]
        if self._size + len(data) > self._max_bytes:
            self._rotate()
        self._size += os.write(self._fd, data)

    def _rotate(self) -> None:
        self._path.replace(_older(self._path))
        fd = _open(self._path)
        os.close(self._fd)
        self._fd, self._size = fd, 0

    def close(self) -> None:
        """Close the file. Call once."""
        os.close(self._fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def tail_lines(path: Path, lines: int) -> str:
    """Return the last `lines` lines of a RotatedLog's files, at most 256 KiB of them.

    Raises:
        FileNotFoundError: there is no such log.
    """
    data = _read_end(path, _TAIL_BYTES)
    if len(data) < _TAIL_BYTES and _older(path).exists():
        data = _read_end(_older(path), _TAIL_BYTES - len(data)) + data
    kept = data.splitlines(keepends=True)[-lines:] if lines else []
    return b"".join(kept).decode(errors="replace")


def _read_end(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - size))
        return file.read(size)


def prune_logs(logs: Path, keep: int, live: Collection[str]) -> None:
    """Remove the oldest instances' folders beyond the `keep` newest, never those of `live` instances.

    No instance id begins with `_`, and such folders stay.
    """
    instances = (entry for entry in logs.iterdir() if entry.is_dir() and not entry.name.startswith("_"))
    folders = [(entry.stat().st_mtime_ns, entry) for entry in instances]
    for _, folder in sorted(folders, reverse=True)[keep:]:
        if folder.name not in live:
            shutil.rmtree(folder, ignore_errors=True)
