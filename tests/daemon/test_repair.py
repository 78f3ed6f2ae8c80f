"""`arp-daemon check` finds what is damaged, and `arp-daemon repair` saves the rest."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from arp_daemon.store import (
    Append,
    Attempt,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunEnd,
    StoreDamagedError,
    StoredEvents,
    open_sqlite_store,
)
from arp_model import RunState
from arp_service.folder_lock import locked_folder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from support.forked import ForkedCommands

    Run = Callable[[str], Awaitable[tuple[int, str]]]

_NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
_RUNS = 60
_REQUEST = b'{"input":{"goal":"%s"},"metadata":{"labels":{"team":"search"}}}' % (b"x" * 300)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A store with ended runs of five events each, one open run, a profile and an instance."""
    path = tmp_path / "daemon.sqlite3"
    async with open_sqlite_store(path) as store:
        await store.put_profile(ProfileRecord("p", 1, b"{}"))
        await store.put_instance(InstanceRecord("i", b"{}", None))
        runs = await store.insert_runs([NewRun(f"r{n}", _REQUEST, _NOW) for n in range(_RUNS)])
        for run in runs[:-1]:
            assert run is not None
            await store.start_attempts([Attempt(run.position, 1, run.run_id, "i", 0, _NOW)])
            result = b'{"run_id":"%s","ok":true,"output":{"answer":"a"}}' % run.run_id.encode()
            events = [StoredEvents(run.position, seq, ("token",), b'{"seq":%d}' % seq) for seq in range(4)]
            events.append(StoredEvents(run.position, 4, ("final",), b'{"seq":4}'))
            await store.append(Append(events, [RunEnd(run.position, RunState.SUCCEEDED, _NOW, result)]))
    return path


@pytest.fixture
def command(path: Path, arp_daemon: ForkedCommands) -> Run:
    """Run a command as an operator would."""

    async def run(name: str) -> tuple[int, str]:
        done = await arp_daemon.run(name, "--data-dir", str(path.parent), cwd=path.parent)
        assert "Traceback" not in done.err, done.err
        return done.code, done.out + done.err

    return run


def _damage(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        for statement in statements:
            other.execute(statement)


def _remove(path: Path) -> None:
    path.unlink()


def _break_pages(path: Path) -> None:
    with path.open("r+b") as file:
        for page in (12, 13):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)
    os.truncate(path, path.stat().st_size - 4096)


async def test_a_whole_store_is_found_whole_and_left_alone(path: Path, command: Run) -> None:
    """Exit code 0, with counts; repair changes nothing."""
    for name in ("check", "repair"):
        code, said = await command(name)
        assert code == 0, said
        assert f"{_RUNS} runs with {5 * (_RUNS - 1)} events, 1 profiles, 1 instances" in said
        assert "Nothing is damaged" in said
    assert not list(path.parent.glob("*.damaged-*"))


async def test_damaged_rows_are_named_and_the_rest_is_saved(path: Path, command: Run) -> None:
    """A run whose record is damaged goes, with its name; one whose log is, ends with its result; the old file stays."""
    _damage(
        path,
        "UPDATE runs SET request = CAST('?' AS BLOB) WHERE run_id = 'r3'",
        "UPDATE run_events SET event = CAST('?' AS BLOB) WHERE seq = 2 AND position IN "
        "(SELECT position FROM runs WHERE run_id = 'r5')",
    )
    code, said = await command("check")
    assert code == 1
    assert "'r3'" in said
    assert "'r5'" in said
    assert "arp-daemon repair" in said
    code, said = await command("repair")
    assert code == 0, said
    assert f"{_RUNS - 1} runs" in said
    assert len(list(path.parent.glob("daemon.sqlite3.damaged-*Z"))) == 1
    async with open_sqlite_store(path) as store:
        assert await store.find_run("r3") is None
        run = await store.find_run("r5")
        assert run is not None
        events = await store.list_events(run.position, 0, 100)
        assert [event.seq for event in events] == [0, 1, 2]
        assert events[-1].types == ("final",)
        assert b'"answer":"a"' in events[-1].lines
        assert [open_run.run_id for open_run in await store.list_open_runs()] == [f"r{_RUNS - 1}"]
        assert len(await store.list_attempts(run.position)) == 1
    code, said = await command("check")
    assert code == 0, said


async def test_what_lies_around_broken_pages_is_saved(path: Path, command: Run) -> None:
    """Garbage in some pages, or the end cut off: the daemon refuses, repair saves most, and the daemon starts."""
    _break_pages(path)
    with pytest.raises(StoreDamagedError):
        async with open_sqlite_store(path):
            pass
    code, said = await command("repair")
    assert code == 0, said
    assert "LOST" in said
    async with open_sqlite_store(path) as store:
        assert len(await store.list_runs(100, None)) > _RUNS / 4
        assert not store.damaged


async def test_a_store_of_which_only_an_index_is_broken_loses_nothing(path: Path, command: Run) -> None:
    """Repair makes a whole one all the same, and says so."""
    with closing(sqlite3.connect(path)) as other:
        (page,) = other.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    assert (await command("check"))[0] == 1
    code, said = await command("repair")
    assert code == 0, said
    assert f"Read {_RUNS} runs" in said
    assert "LOST" not in said
    assert "The store is whole: start the daemon." in said
    assert "Nothing is damaged" not in said
    assert (await command("check"))[0] == 0


async def test_a_vanished_store_is_begun_anew_only_when_told_to(path: Path, command: Run) -> None:
    """Repair is the operator's word for it, and says what is lost."""
    _remove(path)
    code, said = await command("check")
    assert (code, "is gone" in said) == (1, True)
    code, said = await command("repair")
    assert (code, "is gone" in said) == (0, True)
    async with open_sqlite_store(path) as store:
        assert await store.list_runs(1, None) == []


async def test_a_store_in_use_is_not_touched(path: Path, command: Run) -> None:
    """One sentence says to stop the daemon."""
    with locked_folder(path.parent, "daemon"):
        code, said = await command("repair")
    assert (code, "Another daemon" in said) == (1, True)
