"""SQLite as an embedded store: one writer with group commit, one reader, numbered migrations, named queries.

The writer is a thread that owns its connection. It takes all that waits, runs it in one transaction, commits
once (WAL, synchronous=FULL: a commit is on the disk), and then answers everybody. So a write is durable when
`write` returns, and a hundred at once cost one sync. What is asked for in one turn of the event loop goes to the thread
together, because to wake it costs as much for one.
"""

from __future__ import annotations

import asyncio
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import anyio.to_thread
import structlog

from arp_service.errors import UnavailableError
from arp_service.turns import A_TURN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

T = TypeVar("T")
Functions = Mapping[str, Callable[..., Any]]

_log = structlog.get_logger(__name__)

# How many writes share one transaction, or a few more: enough to amortize a sync, few enough to answer soon.
_MAX_GROUP = 512
# Another process (a backup, a shell) may hold the lock for so long.
_BUSY_TIMEOUT_MS = 5000
_NO_FUNCTIONS: Functions = {}
_MIGRATION = re.compile(r"(\d{4})_\w+\.sql\Z")


class StoreUnavailableError(UnavailableError):
    """The store cannot be read or written now (disk full, read-only, locked)."""

    code = "store_unavailable"


class StoreTooNewError(Exception):
    """The file was written by a later release; this one must not touch it."""


class _JobFailedError(Exception):
    """A job of a group failed, and the group was undone."""


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class _Outcome(NamedTuple):
    job: _Job
    value: Any
    error: BaseException | None


class Database:
    """An open SQLite file. `write` and `read` run a function with a connection, off the event loop."""

    def __init__(self, path: Path, functions: Functions = _NO_FUNCTIONS) -> None:
        self._writer = _Worker(path, functions, grouped=True)
        self._reader = _Worker(path, functions, grouped=False)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction shared with other writers; return its value once it is on the disk.

        An exception of `work` undoes its own changes alone and is raised here. `work` may be run a second time, its
        first changes undone, where that of another writer failed.

        Raises:
            StoreUnavailableError: SQLite refused; nothing of `work` was kept.
        """
        return await self._writer.run(work)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` with a connection that sees all committed writes.

        Raises:
            StoreUnavailableError: SQLite refused.
        """
        return await self._reader.run(work)

    def start(self) -> None:
        """Start the threads. Call once, in a running event loop."""
        self._writer.start()
        self._reader.start()

    async def close(self) -> None:
        """Finish what has been asked for, close both connections."""
        for worker in (self._writer, self._reader):
            worker.hand_over()
            await anyio.to_thread.run_sync(worker.close)


class _Worker:
    """A thread that owns one connection."""

    def __init__(self, path: Path, functions: Functions, *, grouped: bool) -> None:
        self._path = path
        self._functions = functions
        self._grouped = grouped
        self._asked: list[_Job] = []
        """In this turn of the loop."""
        self._jobs: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        name = "sqlite-writer" if grouped else "sqlite-reader"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._asked:
            loop.call_soon(self.hand_over)
        self._asked.append(_Job(work, future))
        with _translated():
            return await future

    def hand_over(self) -> None:
        """Give the thread what has been asked for."""
        if self._asked:
            self._jobs.put(self._asked)
            self._asked = []

    def _work(self) -> None:
        """Work until closed. A connection that cannot be had, or broke for good, is an answer to every job."""
        try:
            with closing(connect(self._path)) as connection:
                for name, function in self._functions.items():
                    connection.create_function(name, -1, function, deterministic=True)
                while (jobs := self._take()) is not None:
                    self._answer(_run_group(connection, jobs) if self._grouped else _run_each(connection, jobs))
        except sqlite3.Error as error:
            _log.exception("store_thread_broke", path=str(self._path))
            while (jobs := self._take()) is not None:
                self._answer([_Outcome(job, None, error) for job in jobs])

    def _take(self) -> list[_Job] | None:
        """Wait for a job, and take all that wait with it; None at the end."""
        jobs = self._jobs.get()
        while jobs is not None and len(jobs) < _MAX_GROUP:
            try:
                more = self._jobs.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._jobs.put(None)
                break
            jobs += more
        return jobs

    def _answer(self, outcomes: list[_Outcome]) -> None:
        """One wake-up of the loop for the whole group."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, outcomes)


def connect(path: Path, *, damaged: bool = False) -> sqlite3.Connection:
    """Open a connection in autocommit mode, with the settings that durability needs.

    `damaged`: SQLite shall read what it can of a file that is shorter than it says.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute(f"PRAGMA writable_schema = {int(damaged)}")
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    except UnicodeDecodeError as exc:  # SQLite names what is malformed, in bytes that are no text any more
        connection.close()
        raise sqlite3.DatabaseError(f"malformed database schema: {exc}") from exc
    return connection


def _text(raw: bytes) -> str:
    """Damaged text is text that no checksum fits, not an error of every list that it would be in."""
    return raw.decode(errors="replace")


@asynccontextmanager
async def open_database(
    path: Path, migrations: Traversable, functions: Functions = _NO_FUNCTIONS
) -> AsyncIterator[Database]:
    """Bring the file up to date with the numbered .sql files in `migrations`, and open it.

    `functions` are what queries may call beside SQLite's own, by name; each gives the same for the same.

    Raises:
        StoreTooNewError: the file has migrations that this release does not know.
        StoreUnavailableError: SQLite refused.
    """
    with _translated():
        await anyio.to_thread.run_sync(migrate, path, migrations)
    database = Database(path, functions)
    database.start()
    try:
        yield database
    finally:
        with anyio.CancelScope(shield=True):
            await database.close()


def migrate(path: Path, migrations: Traversable) -> None:
    """Apply the migrations that the file lacks, each in a transaction of its own (PRAGMA user_version counts)."""
    files = sorted((f for f in migrations.iterdir() if _MIGRATION.match(f.name)), key=lambda f: f.name)
    connection = connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(files):
            raise StoreTooNewError(f"{path} has schema {version}, this release knows {len(files)}: use a later one.")
        for number, file in enumerate(files[version:], start=version + 1):
            script = file.read_text(encoding="utf-8")
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    finally:
        connection.close()


def load_queries(file: Traversable) -> dict[str, str]:
    """Read a .sql file of named queries: `-- name --` on a line of its own begins each."""
    parts = re.split(r"^-- (\w+) --$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: text.strip().rstrip(";") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def _run_group(connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
    """Run all in one transaction. Where one fails, each runs again, undone alone if it fails.

    To be able to undo each costs two statements a job, for what hardly ever happens.
    """
    try:
        with suppress(_JobFailedError):
            return _commit(connection, jobs, _run_job)
        return _commit(connection, jobs, _run_in_savepoint)
    except Exception as error:  # noqa: BLE001 - raised again in the tasks that wait for these jobs
        return [_Outcome(job, None, error) for job in jobs]


def _commit(
    connection: sqlite3.Connection, jobs: list[_Job], run: Callable[[sqlite3.Connection, _Job], _Outcome]
) -> list[_Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [run(connection, job) for job in jobs]
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return outcomes


def _run_job(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    try:
        return _Outcome(job, job.work(connection), None)
    except Exception as error:
        raise _JobFailedError from error


def _run_in_savepoint(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    connection.execute("SAVEPOINT job")
    try:
        value = job.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        return _Outcome(job, None, error)
    connection.execute("RELEASE job")
    return _Outcome(job, value, None)


def _run_each(connection: sqlite3.Connection, jobs: list[_Job]) -> list[_Outcome]:
    outcomes = []
    for job in jobs:
        try:
            outcomes.append(_Outcome(job, job.work(connection), None))
        except Exception as error:  # noqa: BLE001 - raised again in the task that waits for this job
            outcomes.append(_Outcome(job, None, error))
    return outcomes


def _resolve(outcomes: list[_Outcome], at: int = 0) -> None:
    """Answer a few jobs each turn of the loop: what their tasks do next may take a while (see `turns`)."""
    end = at + A_TURN
    if end < len(outcomes):
        asyncio.get_running_loop().call_soon(_resolve, outcomes, end)
    for job, value, error in outcomes[at:end]:
        if job.future.done():  # its task was cancelled; the write stands all the same
            continue
        if error is None:
            job.future.set_result(value)
        else:
            job.future.set_exception(error)


@contextmanager
def _translated() -> Iterator[None]:
    """What the disk or the lock refuses is for the caller to bear; anything else of SQLite's is a bug of ours."""
    try:
        yield
    except sqlite3.OperationalError as exc:
        raise StoreUnavailableError(f"The store refused: {exc}.") from exc
    except sqlite3.DatabaseError as exc:
        if type(exc) is not sqlite3.DatabaseError:
            raise
        raise StoreUnavailableError(f"The store is damaged: {' '.join(str(exc).split())}.") from exc
    except UnicodeDecodeError as exc:  # values are never refused so (`_text`), but the name of a column may be no text
        raise StoreUnavailableError(f"The store is damaged: its schema is no text: {exc}.") from exc
