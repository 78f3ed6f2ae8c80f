"""Lists of runs by filter, from a database of any release."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
import pytest

from arp_daemon.errors import CorruptRecordError
from arp_daemon.store import (
    ALL_RUNS,
    Append,
    Attempt,
    NewRun,
    RunEnd,
    RunFilter,
    Store,
    StoredEvents,
    open_sqlite_store,
)
from arp_model import RunState
from arp_service.sqlite import load_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
_SECOND = timedelta(seconds=1)
_COUNT = 60
_STORE = files("arp_daemon.store")


def _new_run(number: int) -> NewRun:
    """Every second one is of profile `a`, every third has a label, every fifth another; one each second."""
    labels = {**({"team": "search"} if number % 3 == 0 else {}), **({"night": "ly"} if number % 5 == 0 else {})}
    profile = "a" if number % 2 == 0 else None
    return NewRun(f"r{number}", b"{}", _START + number * _SECOND, profile, labels)


def _state(number: int) -> RunState:
    return list(RunState)[number % 4 % len(RunState)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with open_sqlite_store(path) as opened:
        records = [r for r in await opened.insert_runs([_new_run(n) for n in range(_COUNT)]) if r is not None]
        states = [(record, _state(number)) for number, record in enumerate(records)]
        started = [record for record, state in states if state is not RunState.QUEUED]
        await opened.start_attempts([Attempt(r.position, 1, r.run_id, "i", 0, _START) for r in started])
        ended = [(r, state) for r, state in states if state not in (RunState.QUEUED, RunState.RUNNING)]
        await opened.append(Append([], [RunEnd(r.position, state, _START, b"{}") for r, state in ended]))
        yield opened


def _expected(wanted: RunFilter) -> list[str]:
    """What the filter means, said without any SQL."""
    return [
        run.run_id
        for number, run in reversed([(n, _new_run(n)) for n in range(_COUNT)])
        if not wanted.states or _state(number) in wanted.states
        if wanted.runtime_profile is None or run.runtime_profile == wanted.runtime_profile
        if wanted.labels.items() <= run.labels.items()
        if wanted.created_after is None or run.created_at >= wanted.created_after
        if wanted.created_before is None or run.created_at < wanted.created_before
    ]


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("states", [(), (RunState.QUEUED,), (RunState.RUNNING, RunState.FAILED), tuple(RunState)])
@pytest.mark.parametrize("profile", [None, "a", "nobody"])
@pytest.mark.parametrize("labels", [{}, {"team": "search"}, {"night": "ly", "team": "search"}, {"team": "other"}])
async def test_every_filter_gives_what_it_means_page_by_page(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    few: int,
    states: tuple[RunState, ...],
    profile: str | None,
    labels: dict[str, str],
) -> None:
    """All combinations, with and without a range of time, on either way through labels; pages join without a gap."""
    monkeypatch.setattr("arp_daemon.store.listing._FEW", few)
    ranges = [
        (None, None),
        (_START + 7 * _SECOND, _START + 40 * _SECOND),
        (None, _START),
        (_START + 59 * _SECOND, None),
    ]
    for after, before in ranges:
        wanted = RunFilter(states, profile, labels, after, before)
        expected = _expected(wanted)
        assert [run.run_id for run in await store.list_runs(_COUNT, None, wanted)] == expected
        pages, position = list[str](), None
        while page := await store.list_runs(7, position, wanted):
            pages += [run.run_id for run in page]
            position = page[-1].position
        assert pages == expected


async def test_no_run_is_older_than_the_one_before_it(store: Store) -> None:
    """Where the clock was set back, time stands still; so a range of time is one piece of the list."""
    [late] = await store.insert_runs([NewRun("late", b"{}", _START)])
    assert late is not None
    assert late.created_at == _START + (_COUNT - 1) * _SECOND
    assert await store.find_run("late") == late


async def test_a_key_is_taken_once_and_finds_its_run(store: Store, path: Path) -> None:
    """Also beside another id; and the row's checksum covers it."""
    first, second, third = await store.insert_runs(
        [
            NewRun("k1", b"{}", _START, idempotency_key="key"),
            NewRun("k2", b"{}", _START, idempotency_key="key"),
            NewRun("k3", b"{}", _START, idempotency_key="other"),
        ]
    )
    assert first is not None
    assert third is not None
    assert second is None
    assert await store.find_run_by_key("key") == first
    assert await store.find_run_by_key("nobody's") is None
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE runs SET idempotency_key = 'stolen' WHERE run_id = 'k1'")
    with pytest.raises(CorruptRecordError):
        await store.find_run_by_key("stolen")


async def test_a_damaged_run_is_not_listed(store: Store, path: Path) -> None:
    """A list verifies whatever it shows, though it does not show the request; it goes on with the others."""
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE runs SET request = CAST('{ }' AS BLOB) WHERE run_id = 'r7'")
    listed = [run.run_id for run in await store.list_runs(100, None)]
    assert "r7" not in listed
    assert {"r6", "r8"} < set(listed)
    assert [what for what in store.damaged if "r7" in what]


_REQUESTS: dict[str, object] = {
    "plain": {"input": {"goal": "x"}},
    "empty": {"input": {"goal": "x"}, "runtime_selector": {}},
    "named": {"input": {"goal": "x"}, "runtime_selector": {"runtime_profile": "a", "instance_id": "i"}},
    "bound": {"input": {"goal": "x"}, "runtime_selector": {"instance_id": "i"}},
    "labeled": {"input": {"goal": "x"}, "metadata": {"labels": {"team": "search", "\u00fc \"'": "\U0001f600=\n"}}},
    "noted": {"input": {"goal": "x"}, "metadata": {"annotations": {"team": "search"}}},
}


def _write_first_release(path: Path) -> None:
    """A database as the first migration alone made it: runs, one of them damaged, one with the clock set back."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(_STORE.joinpath("migrations", "0001_first.sql").read_text() + "PRAGMA user_version = 1;")
        rows = [
            (run_id, body := msgspec.json.encode(request), crc32(body, crc32(run_id.encode())), second)
            for second, (run_id, request) in enumerate(_REQUESTS.items())
        ]
        rows += [("back", b"{}", crc32(b"{}", crc32(b"back")), 2), ("damaged", b'{"input', 7, 9)]
        db.executemany(
            "INSERT INTO runs (run_id, state, request, request_sum, created_at) VALUES (?, 'queued', ?, ?, ?)", rows
        )
        events = [(1, seq, "token", b"e%d" % seq, crc32(b"e%d" % seq, crc32(b"1:%d:token" % seq))) for seq in range(3)]
        db.executemany("INSERT INTO run_events VALUES (?, ?, ?, ?, ?)", events)


async def test_a_database_of_the_first_release_is_brought_up_to_date(path: Path) -> None:
    """Its runs can be listed by profile, label and time; a damaged one hinders nothing until it is read itself."""
    _write_first_release(path)

    async with open_sqlite_store(path) as upgraded:

        async def ids(wanted: RunFilter) -> list[str]:
            return [run.run_id for run in await upgraded.list_runs(9, None, wanted)]

        assert await ids(RunFilter(runtime_profile="default")) == ["back", "noted", "labeled", "empty", "plain"]
        assert await ids(RunFilter(runtime_profile="a")) == ["named"]
        assert await ids(RunFilter(labels={"team": "search"})) == ["labeled"]
        assert await ids(RunFilter(labels={"\u00fc \"'": "\U0001f600=\n"})) == ["labeled"]
        fifth = datetime.fromtimestamp(0, timezone.utc) + 5 * timedelta(microseconds=1)
        assert await ids(RunFilter(created_after=fifth, created_before=fifth + _SECOND / 1_000_000)) == [
            "back",
            "noted",
        ]
        found = await upgraded.find_run("bound")
        assert found is not None
        assert (found.runtime_profile, found.idempotency_key) == (None, None)
        assert "damaged" not in await ids(ALL_RUNS)
        with pytest.raises(CorruptRecordError, match="damaged"):
            await upgraded.find_run("damaged")
        await upgraded.append(Append([StoredEvents(1, 3, ("token", "final"), b"e3\ne4")]))
        logged = await upgraded.list_events(1, 1, 10)
        assert [event for some in logged for event in some.each()] == [b"e1", b"e2", b"e3", b"e4"]
    async with open_sqlite_store(path) as again:
        assert await again.find_run("named") is not None


async def test_no_list_looks_at_all_runs(store: Store, path: Path) -> None:
    """Each walk is along an index in the order that is asked for: no table is scanned, nothing is sorted."""
    queries = load_queries(_STORE.joinpath("queries.sql"))
    names = [name for name in queries if name.startswith(("newest", "find_", "list_runs", "count_label", "keep_"))]
    assert len(names) >= 9
    with closing(sqlite3.connect(path)) as db:
        for name in names:
            for *_, step in db.execute(f"EXPLAIN QUERY PLAN {queries[name]}", _some_values(queries[name])).fetchall():
                assert "TEMP B-TREE" not in step, (name, step)
                assert not step.startswith("SCAN") or "VIRTUAL TABLE" in step or "subquery" in step, (name, step)


def _some_values(query: str) -> dict[str, str] | list[str]:
    """Values for a query's parameters; only their number matters here."""
    names = re.findall(r":(\w+)", query)
    return dict.fromkeys(names, "[]") if names else ["[]"] * query.count("?")
