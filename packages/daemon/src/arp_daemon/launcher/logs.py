"""Output on disk: bounded by rotation, read from its end or from a position.

A position counts all bytes since the oldest that was kept when the log was opened. So a reader that comes back
with one misses nothing that is still kept, and is told how much is not.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["Piece", "RotatedLog", "kept_bytes", "prune_logs", "read_piece", "tail_lines", "tail_position"]

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
        self.end = kept_bytes(path)
        """The position after the last byte."""

    def write(self, data: bytes) -> None:
        """Append `data`; of more than fits one file, the last part.

        Raises:
            OSError: the disk is full or failing. The log stays usable.
        """
        data = data[-self._max_bytes :]
        if self._size + len(data) > self._max_bytes:
            self._rotate()
        written = os.write(self._fd, data)
        self._size += written
        self.end += written

    def _rotate(self) -> None:
        self._path.replace(_older(self._path))
        fd = _open(self._path)
        os.close(self._fd)
        self._fd, self._size = fd, 0

    def close(self) -> None:
        """Close the file. Call once."""
        os.close(self._fd)


class Piece(NamedTuple):
    """Bytes of a log, the position after them, and how many before them are not kept any more."""

    data: bytes
    position: int
    lost: int


def kept_bytes(path: Path) -> int:
    """Return how many bytes a log's files hold together; 0 where there is none."""
    return sum(file.stat().st_size for file in (path, _older(path)) if file.exists())


def read_piece(path: Path, end: int, position: int, size: int) -> Piece:
    """Return at most `size` bytes from `position` of the log that ends at position `end`.

    Raises:
        FileNotFoundError: there is no such log.
    """
    older = _older(path).stat().st_size if _older(path).exists() else 0
    newer = path.stat().st_size
    first = end - newer - older
    start = min(max(position, first), end)
    data = b""
    if start < end - newer:
        data = _read(_older(path), start - first, size)
    if len(data) < size:
        data += _read(path, max(0, start - (end - newer)), size - len(data))
    return Piece(data, start + len(data), max(0, first - position))


def tail_position(path: Path, end: int, lines: int) -> int:
    """Return the position at which the last `lines` lines of a log begin, of those that are kept.

    Raises:
        FileNotFoundError: there is no such log.
    """
    data = read_piece(path, end, 0, 2 * _MAX_BYTES).data
    start = len(data)
    # The line break at the very end begins no line.
    for _ in range(lines):
        start = data.rfind(b"\n", 0, max(0, start - 1)) + 1
        if start == 0:
            break
    return end - len(data) + start


def tail_lines(path: Path, lines: int) -> str:
    """Return the last `lines` lines of a RotatedLog's files, at most 256 KiB of them.

    Raises:
        FileNotFoundError: there is no such log.
    """
    end = kept_bytes(path)
    start = max(tail_position(path, end, lines), end - _TAIL_BYTES)
    return read_piece(path, end, start, _TAIL_BYTES).data.decode(errors="replace")


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def prune_logs(logs: Path, keep: int, live: Collection[str]) -> None:
    """Remove the oldest instances' folders beyond the `keep` newest, never those of `live` instances.

    No instance id begins with `_`, and such folders stay.
    """
    instances = (entry for entry in logs.iterdir() if entry.is_dir() and not entry.name.startswith("_"))
    folders = [(entry.stat().st_mtime_ns, entry) for entry in instances]
    for _, folder in sorted(folders, reverse=True)[keep:]:
        if folder.name not in live:
            shutil.rmtree(folder, ignore_errors=True)
