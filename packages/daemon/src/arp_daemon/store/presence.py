"""Whether the store's file is what was left there: never is an empty one begun where there has been one.

Beside the file stands a mark, `closed` or `open`. It is written when the store is first made, and says whether the
last daemon closed the store in order: one that did not has left a write-ahead log (`-wal`) that belongs to the file.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.to_thread
import structlog

from arp_service.sqlite import StoreUnavailableError, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_log = structlog.get_logger(__name__)

_HEADER = b"SQLite format 3\x00"
_HEADER_BYTES = 100
# To look over so much takes a fraction of a second.
_CHECKED_BYTES = 64 * 1024 * 1024
_REPAIR = "put a copy back, or save what can be read with: arp-daemon repair --data-dir"


class StoreDamagedError(Exception):
    """The store's file is not what the daemon left there; the message names the cure."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"The store {path} {problem}: {_REPAIR} {path.parent}.")


def check_file(path: Path) -> None:
    """Look at the file before it is used: to SQLite an empty one is a new one.

    Raises:
        StoreDamagedError: it is gone, empty, cut off, no database, without its write-ahead log, or damaged.
        StoreUnavailableError: it cannot be read or written.
    """
    try:
        problem = find_problem(path)
        if problem is None and _mark(path).exists():
            # From here on SQLite may take its log into the file, and away.
            set_mark(path, "closed")
        problem = problem or _find_damage(path)
    except OSError as exc:
        raise StoreUnavailableError(f"{path} cannot be used ({exc.strerror}): make it writable.") from exc
    if problem is not None:
        raise StoreDamagedError(path, problem)


def cannot_open(path: Path, refused: StoreUnavailableError) -> Exception:
    """Why a daemon cannot begin with the store, from what SQLite says, with the cure."""
    cause = refused.__cause__
    if isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError):
        return StoreDamagedError(path, f"is damaged ({cause})")
    return StoreUnavailableError(f"{path} cannot be written ({cause}): make room, or make it writable.")


@asynccontextmanager
async def marked_open(path: Path) -> AsyncIterator[None]:
    """Mark the store as in use within the block. Leave the block before the file is closed."""
    try:
        await anyio.to_thread.run_sync(set_mark, path, "open")
    except OSError as exc:
        raise StoreUnavailableError(f"{path.parent} cannot be written ({exc.strerror}): make it writable.") from exc
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            try:
                await anyio.to_thread.run_sync(set_mark, path, "closed")
            except OSError as exc:  # SQLite cannot take its log away from there either
                _log.warning("store_mark_stays", error=str(exc))


def find_problem(path: Path) -> str | None:
    """What is wrong with the file, or None; a folder without mark and file has never been used."""
    mark = _mark(path)
    used = mark.exists() or _wal(path).exists()
    if not path.exists():
        return "is gone, though this folder has been used" if used else None
    size = path.stat().st_size
    if size == 0:
        return "is empty, though this folder has been used" if used else None
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_HEADER) or len(header) < _HEADER_BYTES:
        return "is no SQLite database"
    has_wal = _wal(path).exists() and _wal(path).stat().st_size > 0
    if not has_wal and size < _whole_size(header):
        return f"is cut off: it has {size} bytes of {_whole_size(header)}"
    if not has_wal and mark.exists() and mark.read_text(errors="replace").strip() == "open":
        return f"lacks {_wal(path).name}, with what was written last"
    return None


def _find_damage(path: Path) -> str | None:
    """What SQLite finds in the structure of a file that is small enough to look it over at each start."""
    if not path.exists() or path.stat().st_size > _CHECKED_BYTES:
        return None
    try:
        with closing(connect(path)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        return None  # locked, or cannot be written: whoever opens it says so
    except sqlite3.DatabaseError as exc:
        found = str(exc)
    return None if found == "ok" else f"is damaged ({found.splitlines()[-1]})"


def set_mark(path: Path, state: Literal["open", "closed"]) -> None:
    """Remember, on the disk, that there is a store, and whether it is in use.

    Written over in place: that needs no room, so that a full disk does not make a store look unlike it is.
    """
    descriptor = os.open(_mark(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(descriptor, f"{state:<6}\n".encode(), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mark(path: Path) -> Path:
    return path.with_name("store.state")


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _whole_size(header: bytes) -> int:
    """The size that the header tells (https://www.sqlite.org/fileformat.html, 1.3)."""
    page_size = int.from_bytes(header[16:18], "big")
    return (65536 if page_size == 1 else page_size) * int.from_bytes(header[28:32], "big")
