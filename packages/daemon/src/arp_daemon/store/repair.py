"""Checking a store, and making a whole one of what can be read of a damaged one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from arp_daemon.store.presence import find_problem, set_mark
from arp_daemon.store.sqlite import MIGRATIONS
from arp_daemon.store.survey import Report, Survey
from arp_service.sqlite import StoreUnavailableError, connect, migrate

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

# Of what SQLite finds wrong with the structure, so much is shown.
_SHOWN = 20


def check_store(path: Path) -> Report:
    """Read everything in the store, and verify every checksum. The caller holds the data dir's lock.

    Raises:
        StoreTooNewError: a later release has written it.
        StoreUnavailableError, OSError: it cannot be read now.
    """
    problem = find_problem(path)
    if problem is not None or not path.exists():
        return Report(lost=[] if problem is None else [f"{path.name} {problem}."])
    set_mark(path, "closed")
    try:
        migrate(path, MIGRATIONS)
        with closing(connect(path)) as db:
            report = Survey(db).run()
            found = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_SHOWN})")]
    except sqlite3.OperationalError as exc:
        raise StoreUnavailableError(f"{path} cannot be read: {exc}.") from exc
    except sqlite3.DatabaseError as exc:
        return Report(lost=[f"{path.name} is damaged: {exc}."])
    report.lost += [] if found == ["ok"] else found
    return report


def repair_store(path: Path, now: datetime) -> Report:
    """Put a whole store in the place of a damaged one, which is kept. The caller holds the data dir's lock.

    Whenever it is interrupted, the damaged file is there, under its own or its new name.

    Raises:
        StoreTooNewError: a later release has written it.
        CannotKeepError, StoreUnavailableError, OSError: it cannot be read now, or there is no room to write.
    """
    problem = find_problem(path)
    new = path.with_name(f"{path.name}.repaired")
    for leftover in _files(new):
        leftover.unlink(missing_ok=True)
    migrate(new, MIGRATIONS)
    with closing(connect(new)) as into:
        into.execute("BEGIN")
        report = _salvage(path, into)
        into.execute("COMMIT")
    if problem is not None:
        report.lost.insert(0, f"{path.name} {problem}.")
    if path.exists():
        report.kept_as = path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%SZ}")
        os.link(path, report.kept_as)
        for old, kept in zip(_files(path)[1:], _files(report.kept_as)[1:], strict=True):
            if old.exists():
                old.rename(kept)
    set_mark(path, "closed")
    new.replace(path)
    return report


def _salvage(path: Path, into: sqlite3.Connection) -> Report:
    if not path.exists() or path.stat().st_size == 0:
        return Report()
    try:
        with suppress(sqlite3.DatabaseError):  # then it is read as it is
            migrate(path, MIGRATIONS)
        with closing(connect(path, damaged=True)) as db:
            return Survey(db, into).run()
    except sqlite3.OperationalError as exc:
        raise StoreUnavailableError(f"{path} cannot be read: {exc}.") from exc
    except sqlite3.DatabaseError as exc:
        return Report(lost=[f"All that was in it: {exc}."])


def _files(path: Path) -> list[Path]:
    """A database's file, and those that SQLite puts beside it."""
    return [path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")]
