"""The embedded store's engine: group commit, isolation of failures, migrations."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from arp_service.sqlite import (
    Database,
    StoreTooNewError,
    StoreUnavailableError,
    load_queries,
    migrate,
    open_database,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("CREATE TABLE t (n INTEGER PRIMARY KEY);")
    return folder


def _insert(number: int) -> Callable[[sqlite3.Connection], None]:
    def work(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO t VALUES (?)", (number,))

    return work


def _let_threads_go_on(path: Path) -> None:
    """As a request does that speaks to sockets."""
    for _ in range(100):
        path.stat()


def _numbers(db: sqlite3.Connection) -> list[int]:
    return [n for (n,) in db.execute("SELECT n FROM t ORDER BY n")]


async def test_a_write_is_seen_by_another_connection_when_it_returns(tmp_path: Path, migrations: Path) -> None:
    """`write` returns after the commit, not before."""
    path = tmp_path / "db"
    async with open_database(path, migrations) as database:
        await database.write(_insert(1))
        other = sqlite3.connect(path)
        try:
            assert _numbers(other) == [1]
        finally:
            other.close()


async def test_what_is_asked_for_in_one_turn_of_the_loop_is_one_transaction(tmp_path: Path, migrations: Path) -> None:
    """The thread is woken once for all of it, also where it could have begun with the first."""
    async with open_database(tmp_path / "db", migrations) as database:
        statements: list[str] = []

        async def insert(number: int) -> None:
            _let_threads_go_on(tmp_path)
            await database.write(_insert(number))

        await database.write(lambda db: db.set_trace_callback(statements.append))
        for first in range(0, 100, 10):
            await asyncio.gather(*map(insert, range(first, first + 10)))
        assert statements.count("BEGIN IMMEDIATE") == 10


async def test_one_failing_write_of_a_group_undoes_itself_alone(tmp_path: Path, migrations: Path) -> None:
    """Writes share a transaction, but not each other's failures."""
    async with open_database(tmp_path / "db", migrations) as database:
        failures: list[BaseException] = []

        def insert_twice(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO t VALUES (1000)")
            raise ValueError("no")

        async def fail() -> None:
            try:
                await database.write(insert_twice)
            except ValueError as exc:
                failures.append(exc)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for number in range(100):
                    tasks.start_soon(database.write, _insert(number))
                    tasks.start_soon(fail)
        assert await database.read(_numbers) == list(range(100))
        assert len(failures) == 100


async def test_a_broken_rule_of_the_schema_is_raised_where_it_was_caused(tmp_path: Path, migrations: Path) -> None:
    """A duplicate key is the error of its own write."""
    async with open_database(tmp_path / "db", migrations) as database:
        await database.write(_insert(1))
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            await database.write(_insert(1))
        await database.write(_insert(2))
        assert await database.read(_numbers) == [1, 2]


async def test_a_write_of_a_cancelled_task_stands_or_falls_whole(tmp_path: Path, migrations: Path) -> None:
    """Cancelling the waiter does not wedge the writer."""
    async with open_database(tmp_path / "db", migrations) as database:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await database.write(_insert(1))
        await database.write(_insert(2))
        assert await database.read(_numbers) in ([1, 2], [2])


async def test_what_is_queued_is_written_before_the_database_closes(tmp_path: Path, migrations: Path) -> None:
    """Closing finishes the queue."""
    path = tmp_path / "db"
    database = Database(path)
    migrate(path, migrations)
    database.start()
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(database.write, _insert(number))
    last = asyncio.create_task(database.write(_insert(50)))
    await checkpoint()  # it has been asked for, in this turn of the loop
    await database.close()
    await last
    with closing(sqlite3.connect(path)) as other, other:
        assert len(_numbers(other)) == 51
    other.close()


async def test_a_disk_that_refuses_is_one_error_and_recovers(tmp_path: Path, migrations: Path) -> None:
    """A full disk (here: a page limit) is `store_unavailable`; later writes succeed when there is room again."""
    async with open_database(tmp_path / "db", migrations) as database:
        await database.write(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())

        def fill(db: sqlite3.Connection) -> None:
            db.execute("CREATE TABLE big (x)")
            db.execute("INSERT INTO big VALUES (zeroblob(1000000))")

        with pytest.raises(StoreUnavailableError, match="full"):
            await database.write(fill)
        await database.write(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone())
        await database.write(fill)


def test_migrations_are_applied_once_and_in_order(tmp_path: Path, migrations: Path) -> None:
    """A file is brought up to date from where it is."""
    path = tmp_path / "db"
    migrate(path, migrations)
    (migrations / "0002_more.sql").write_text("ALTER TABLE t ADD COLUMN more TEXT;")
    migrate(path, migrations)
    migrate(path, migrations)
    with closing(sqlite3.connect(path)) as db, db:
        assert [row[1] for row in db.execute("PRAGMA table_info(t)")] == ["n", "more"]
    db.close()


def test_a_failing_migration_leaves_the_file_as_it_was(tmp_path: Path, migrations: Path) -> None:
    """A migration is all or nothing."""
    path = tmp_path / "db"
    migrate(path, migrations)
    (migrations / "0002_more.sql").write_text("CREATE TABLE half (x); CREATE TABLE t (x);")
    with pytest.raises(sqlite3.OperationalError):
        migrate(path, migrations)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    db.close()


def test_a_file_of_a_later_release_is_not_touched(tmp_path: Path, migrations: Path) -> None:
    """Downgrades are refused with a word on the cure."""
    path = tmp_path / "db"
    migrate(path, migrations)
    (migrations / "0001_first.sql").unlink()
    with pytest.raises(StoreTooNewError, match="later"):
        migrate(path, migrations)


def test_named_queries_are_read_by_name(tmp_path: Path) -> None:
    """A .sql file is a list of names and statements."""
    file = tmp_path / "q.sql"
    file.write_text("-- one --\n-- What it does.\nSELECT 1;\n\n-- two --\nSELECT 2;\n")
    queries = load_queries(file)
    assert list(queries) == ["one", "two"]
    assert queries["two"] == "SELECT 2"


async def test_a_column_whose_name_is_damaged_is_told_in_one_line(tmp_path: Path, migrations: Path) -> None:
    """SQLite takes any bytes for a name, and Python's module fails at those that are no text when rows are read."""
    path = tmp_path / "db"
    migrate(path, migrations)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE t (n ", b"CREATE TABLE t (\xe5 "))
    async with open_database(path, migrations) as database:
        with pytest.raises(StoreUnavailableError, match="damaged"):
            await database.read(lambda db: db.execute("SELECT * FROM t").fetchall())


@pytest.mark.parametrize("damage", [b'CREATE TABLE t ("\xed\nN', b"CREATE TABLE t ('\n\nN"])
async def test_a_schema_that_is_damaged_is_told_in_one_line(tmp_path: Path, migrations: Path, damage: bytes) -> None:
    """Also where what SQLite says of it is no text."""
    path = tmp_path / "db"
    migrate(path, migrations)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE t (n IN", damage))
    with pytest.raises(StoreUnavailableError) as refused:
        async with open_database(path, migrations):
            pass
    assert "damaged" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
