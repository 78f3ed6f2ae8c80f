"""A store that is not what was left there is refused with its cure: never is an empty one begun in its place."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest

from arp_daemon.store import NewRun, StoreDamagedError, open_sqlite_store
from arp_daemon.store.presence import check_file
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A store with runs in it, that was closed in order."""
    path = tmp_path / "daemon.sqlite3"
    async with open_sqlite_store(path) as store:
        await store.insert_runs([NewRun(f"r{n}", b"{}" * 200, _NOW) for n in range(500)])
    return path


async def _crash(path: Path, into: Path) -> Path:
    """What a daemon leaves that is killed: a copy of all files while they are in use."""
    async with open_sqlite_store(path) as store:
        await store.insert_runs([NewRun("late", b"{}", _NOW)])
        _copy(path.parent, into)
    return into / path.name


def _copy(folder: Path, into: Path) -> None:
    into.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            copyfile(file, into / file.name)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _fill(path: Path) -> None:
    path.write_bytes(b"\xa5" * path.stat().st_size)


def _cut_short(path: Path) -> None:
    os.truncate(path, 50)


def _scratch(path: Path) -> None:
    """Garbage in the middle, where pages point at each other."""
    with path.open("r+b") as file:
        for page in range(2, 12):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)


def _garble(path: Path) -> None:
    """A schema that SQLite cannot even quote as text."""
    whole = path.read_bytes()
    garbled = whole.replace(b"beat INTEGER NOT NULL", b'"\xc5\nt INTEGER NOT NULL')
    assert garbled != whole
    path.write_bytes(garbled)


@pytest.mark.parametrize("damage", [_garble, _truncate, _empty, _fill, _cut_short, _scratch, Path.unlink])
async def test_a_damaged_store_is_refused_with_its_cure(path: Path, damage: Callable[[Path], None]) -> None:
    """One sentence names the file, what is wrong with it and the command; nothing is changed."""
    damage(path)
    before = _content(path)
    for _ in range(2):
        with pytest.raises(StoreDamagedError, match=r"daemon\.sqlite3 .*arp-daemon repair --data-dir") as refused:
            async with open_sqlite_store(path):
                pass
        assert len(str(refused.value).splitlines()) == 1
    assert _content(path) == before


async def test_a_store_that_was_not_closed_needs_its_log(path: Path, tmp_path: Path) -> None:
    """With the write-ahead log all is there; without it what was written last is missing, and that is noticed."""
    left = await _crash(path, tmp_path / "left")
    lost = await _crash(path, tmp_path / "lost")
    async with open_sqlite_store(left) as store:
        assert await store.find_run("late") is not None
    lost.with_name(f"{lost.name}-wal").unlink()
    with pytest.raises(StoreDamagedError, match="-wal"):
        async with open_sqlite_store(lost):
            pass


async def test_a_start_that_fails_or_dies_leaves_a_store_that_opens(path: Path, tmp_path: Path) -> None:
    """Whatever the block raises, the store is closed in order; a look at it takes its log in, and says so before."""
    with pytest.raises(RuntimeError):
        async with open_sqlite_store(path):
            raise RuntimeError
    left = await _crash(path, tmp_path / "left")
    for _ in range(2):
        await anyio.to_thread.run_sync(check_file, left)
    async with open_sqlite_store(left) as store:
        assert await store.find_run("late") is not None


async def test_a_file_that_was_never_a_store_is_made_one(tmp_path: Path) -> None:
    """A daemon that was killed before it made the store has left an empty file at most."""
    (tmp_path / "daemon.sqlite3").touch()
    async with open_sqlite_store(tmp_path / "daemon.sqlite3") as store:
        assert await store.list_open_runs() == []


async def test_a_store_that_cannot_be_made_is_refused_with_its_cure(tmp_path: Path) -> None:
    """Where a folder is in its place, the sentence tells."""
    (tmp_path / "daemon.sqlite3").mkdir()
    with pytest.raises((StoreUnavailableError, StoreDamagedError), match=r"daemon\.sqlite3"):
        async with open_sqlite_store(tmp_path / "daemon.sqlite3"):
            pass
