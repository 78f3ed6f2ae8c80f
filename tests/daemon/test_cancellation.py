"""Canceling many runs at once, by the filters that lists have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from support.daemon import RunningDaemon


async def _cancel(daemon: RunningDaemon, **body: Any) -> httpx.Response:
    return await daemon.client.post("/v1/runs:cancel", json=body)


async def _states(daemon: RunningDaemon, query: str = "") -> dict[str, str]:
    return {run["run_id"]: run["state"] for run in (await daemon.get(f"/v1/runs?page_size=1000&{query}"))["runs"]}


async def _fill(daemon: RunningDaemon, team: str) -> tuple[str, str, str]:
    """One run that works, and behind it two that wait; the first and the last have the team's label."""
    await daemon.put_profile("default", driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    works = await daemon.submit("wait 60 seconds", metadata={"labels": {"team": team}})
    await daemon.until_event(works, "step")
    waits = await daemon.submit("wait 60 seconds")
    labeled = await daemon.submit("wait 60 seconds", metadata={"labels": {"team": team, "n": "1"}})
    return works, waits, labeled


async def test_lists_and_cancels_know_the_same_filters(daemon: RunningDaemon) -> None:
    """A dry run counts what the list shows, and changes nothing; then exactly those are canceled, also the running."""
    works, waits, labeled = await _fill(daemon, "search")
    assert await _states(daemon, "state=queued&state=running&label=team%3Dsearch") == {
        works: "running",
        labeled: "queued",
    }
    assert await _states(daemon, "label=team%3Dsearch&label=n%3D1&runtime_profile=default") == {labeled: "queued"}
    assert await _states(daemon, "runtime_profile=nobody") == {}
    told = (await _cancel(daemon, label=["team=search"], dry_run=True)).json()
    assert told == {"count": 2, "run_ids": [labeled, works], "dry_run": True}
    assert (await daemon.get(f"/v1/runs/{labeled}"))["state"] == "queued"
    told = (await _cancel(daemon, label=["team=search"])).json()
    assert told == {"count": 2, "run_ids": [labeled, works], "dry_run": False}
    assert (await daemon.end(works))["state"] == "canceled"
    assert (await daemon.get(f"/v1/runs/{labeled}"))["state"] == "canceled"
    assert (await daemon.get(f"/v1/runs/{waits}"))["state"] in {"queued", "running"}
    again = (await _cancel(daemon, label=["team=search"])).json()
    assert again == {"count": 0, "run_ids": [], "dry_run": False}
    assert (await _cancel(daemon, state=["canceled"])).json()["count"] == 0
    assert (await _cancel(daemon, all=True)).json()["run_ids"] == [waits]


async def test_all_runs_are_canceled_only_where_that_is_said(daemon: RunningDaemon) -> None:
    """No filter is a 400, like a filter beside `all`; what has ended is not counted."""
    run_ids = await _fill(daemon, "all")
    bodies: list[dict[str, Any]] = [
        {},
        {"dry_run": True},
        {"all": False},
        {"all": True, "state": ["queued"]},
        {"state": []},
    ]
    for body in bodies:
        refused = await _cancel(daemon, **body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
    assert (await _cancel(daemon, state=["canceled", "failed"])).json()["count"] == 0
    assert (await _cancel(daemon, all=True)).json()["count"] == 3
    assert {(await daemon.end(run_id))["state"] for run_id in run_ids} == {"canceled"}


async def test_what_was_to_be_canceled_stays_so_when_the_daemon_dies(daemon: RunningDaemon) -> None:
    """The answer comes when it is on the disk: nothing that waits is started again by the next daemon."""
    run_ids = await _fill(daemon, "gone")
    await _cancel(daemon, all=True)
    await daemon.kill()
    await daemon.start()
    assert {(await daemon.end(run_id))["state"] for run_id in run_ids} == {"canceled"}
    assert not [e for e in await daemon.events(run_ids[1]) if e["type"] == "step"]


async def test_a_page_token_belongs_to_its_filter(daemon: RunningDaemon) -> None:
    """Pages of a filtered list join though runs arrive; with another filter, or none, the token is a 400."""
    for number in range(6):
        await daemon.submit("wait 60 seconds", run_id=f"l-{number}", metadata={"labels": {"half": str(number % 2)}})
    seen: list[str] = []
    query = "/v1/runs?page_size=1&label=half%3D1"
    page = await daemon.get(query)
    token = page["pagination"]["next_page_token"]
    for other in ("", "&label=half%3D0", "&label=half%3D1&state=queued"):
        refused = await daemon.client.get(f"/v1/runs?page_token={token}{other}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_page_token")
    while True:
        seen += [run["run_id"] for run in page["runs"]]
        await daemon.submit("wait 60 seconds", metadata={"labels": {"half": "1"}})
        token = page["pagination"].get("next_page_token")
        if token is None:
            break
        page = await daemon.get(f"{query}&page_token={token}")
    assert seen == ["l-5", "l-3", "l-1"]
