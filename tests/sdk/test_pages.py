"""Lists in pages, read as one: lazily, all of it, and undisturbed by what comes meanwhile."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from arp_sdk.errors import ArpResponseError
from arp_sdk.models import RunState
from sdk.both_kinds import open_client
from sdk.scripted import json, playing
from support.daemon import RunningDaemon, running_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_numbers = count()


@pytest.fixture(scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """One for all tests here; their runs have labels of their own."""
    async with running_daemon(tmp_path_factory.mktemp("daemon") / "data") as running:
        yield running


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, daemon: RunningDaemon) -> AsyncIterator[Any]:
    """A client of the daemon, of both kinds one after the other."""
    async with open_client(request.param, "Daemon", daemon.url) as opened:
        yield opened


async def test_runs_are_read_to_their_end_whatever_comes_meanwhile(client: Any) -> None:
    """Each run that was there at the beginning comes once, newest first; later ones are not among them."""
    labels = {"list": str(next(_numbers))}
    only = [f"list={labels['list']}"]
    there = [(await client.run("hello", labels=labels)).run_id for _ in range(5)]
    seen = []
    async with aclosing(client.iter_runs(label=only, page_size=2)) as runs:
        async for run in runs:
            seen.append(run.run_id)
            await client.run("hello", labels=labels)
    assert seen == there[::-1]
    assert len([run async for run in client.iter_runs(label=only)]) == 10


async def test_runs_are_chosen_as_in_the_list(client: Any) -> None:
    """Every filter of `list_runs` is one of `iter_runs`."""
    labels = {"list": str(next(_numbers))}
    only = [f"list={labels['list']}"]
    good, bad = [await client.run(goal, labels=labels) for goal in ("hello", "Fail, on purpose")]
    for run in (good, bad):
        await client.wait_for_run(run.run_id, 30)
    later = datetime.now(timezone.utc) + timedelta(hours=1)

    async def ids(**more: Any) -> list[str]:
        return [run.run_id async for run in client.iter_runs(label=only, **more)]

    assert await ids(state=[RunState.FAILED]) == [bad.run_id]
    assert await ids(runtime_profile="default", created_before=later) == [bad.run_id, good.run_id]
    assert await ids(created_after=later) == await ids(runtime_profile="none-such") == []
    with pytest.raises(TypeError, match="stat"):
        await ids(stat=[RunState.FAILED])


async def test_profiles_are_read_to_their_end(client: Any, daemon: RunningDaemon) -> None:
    """Also where a page holds one."""
    for name in ("second", "third"):
        await daemon.put_profile(name)
    names = [profile.runtime_profile async for profile in client.iter_runtime_profiles(page_size=1)]
    assert names == ["default", "second", "third"]


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_page_is_asked_for_when_it_is_needed(kind: str) -> None:
    """Whoever has enough after one page asks for no more; a list that leads back to itself is no list."""
    pages = [
        json("200 OK", {"runs": [{"run_id": f"r{n}", "state": "queued"}], "pagination": {"next_page_token": token}})
        for n, token in enumerate(("a", "b", "b"))
    ]
    with playing(*pages) as script:
        async with open_client(kind, "Daemon", script.url) as client:
            async with aclosing(client.iter_runs()) as runs:
                assert (await anext(runs)).run_id == "r0"
            assert len(script.heads) == 1
            with pytest.raises(ArpResponseError, match="circle"):
                [run async for run in client.iter_runs(page_size=1)]
        assert [script.target(number) for number in (1, 2)] == [
            "/v1/runs?page_size=1",
            "/v1/runs?page_size=1&page_token=b",
        ]
