"""The daemon's additions for many runs: filters, canceling by filter, and keys of submissions."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.service import Service, new_id, read, read_error

_ADD = {"input": {"goal": "What is (19*23)?"}}


def _list(daemon: Service, **parameters: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    while True:
        page = read(daemon.http.get("/v1/runs", params=parameters), "daemon/runs/run_list_response")
        found += [run["run_id"] for run in page["runs"]]
        token = page["pagination"].get("next_page_token")
        if token is None:
            return found
        parameters["page_token"] = token


def _submit(daemon: Service, goal: str, **labels: str) -> str:
    return str(daemon.submit(goal, metadata={"labels": labels})["run_id"])


@pytest.mark.requirement("runs.filter")
def test_a_filtered_list_has_what_fits(daemon: Service) -> None:
    """By labels, state, profile and time, alone and together, in pages of any size."""
    daemon.need_feature("runs.filter")
    team = new_id("team")
    ended = [_submit(daemon, "What is (19*23)?", team=team, n=str(n % 2)) for n in range(4)]
    failed = _submit(daemon, daemon.goals.of_arp("fail: on purpose"), team=team)
    for run_id in (*ended, failed):
        daemon.finish(run_id)
    label = f"team={team}"
    assert _list(daemon, label=label) == [failed, *ended[::-1]]
    assert _list(daemon, label=label, page_size=2) == [failed, *ended[::-1]]
    assert _list(daemon, label=[label, "n=1"], page_size=1) == [ended[3], ended[1]]
    assert _list(daemon, label=label, state="failed") == [failed]
    assert _list(daemon, label=label, state=["failed", "queued"], runtime_profile="default") == [failed]
    assert _list(daemon, label=label, runtime_profile=new_id("nobody")) == []
    assert _list(daemon, label=label, created_after="2999-01-01T00:00:00Z") == []
    assert _list(daemon, label=label, created_before="2999-01-01T00:00:00+01:00", state="failed") == [failed]
    assert _list(daemon, label=f"{label}x") == []


@pytest.mark.requirement("runs.filter_bad")
@pytest.mark.parametrize(
    "query", ["state=done", "label=team", "label==", "created_after=now", "created_before=2026-01-01T00:00:00"]
)
def test_a_filter_that_makes_no_sense_is_refused(daemon: Service, query: str) -> None:
    """The answer names the parameter."""
    daemon.need_feature("runs.filter")
    error = read_error(daemon.http.get(f"/v1/runs?{query}"), 400, "invalid_request")
    assert query.partition("=")[0] in error["message"]


@pytest.mark.requirement("runs.filter_bad")
def test_a_token_of_another_filter_is_refused(daemon: Service) -> None:
    """It is a place in one list, and means nothing in another."""
    daemon.need_feature("runs.filter")
    team = new_id("team")
    for _ in range(2):
        _submit(daemon, "What is (19*23)?", team=team)
    parameters: dict[str, Any] = {"label": f"team={team}", "page_size": 1}
    page = read(daemon.http.get("/v1/runs", params=parameters), "daemon/runs/run_list_response")
    token = page["pagination"]["next_page_token"]
    for other in ({}, {"label": f"team={team}", "state": "failed"}):
        refused = daemon.http.get("/v1/runs", params={**other, "page_token": token})
        read_error(refused, 400, "invalid_page_token")


@pytest.mark.requirement("cancel.many")
def test_what_a_filter_lists_it_cancels(daemon: Service) -> None:
    """A dry run tells the same runs and touches none; others go on."""
    daemon.need_feature("runs.cancel")
    team = new_id("team")
    mine = [_submit(daemon, daemon.goals.of_arp("wait 60 seconds"), team=team) for _ in range(3)]
    other = _submit(daemon, daemon.goals.of_arp("wait 60 seconds"), team=new_id("team"))
    body = {"label": [f"team={team}"], "state": ["queued", "running"]}
    for dry_run in (True, False):
        told = read(
            daemon.http.post("/v1/runs:cancel", json={**body, "dry_run": dry_run}), "daemon/runs/run_cancel_response"
        )
        assert told == {"count": 3, "run_ids": mine[::-1], "dry_run": dry_run}
        if dry_run:
            assert {daemon.status(run_id)["state"] for run_id in mine} <= {"queued", "running"}
    assert {daemon.finish(run_id)[0]["state"] for run_id in mine} == {"canceled"}
    assert daemon.status(other)["state"] in {"queued", "running"}
    daemon.cancel(other)


@pytest.mark.requirement("cancel.all")
@pytest.mark.parametrize("body", [{}, {"dry_run": True}, {"all": False}, {"all": True, "state": ["queued"]}])
def test_nobody_cancels_everything_by_leaving_something_out(daemon: Service, body: dict[str, Any]) -> None:
    """Neither no filter, nor one beside all."""
    daemon.need_feature("runs.cancel")
    read_error(daemon.http.post("/v1/runs:cancel", json=body), 400, "invalid_request")


@pytest.mark.requirement("run.key")
def test_the_same_key_is_the_same_run(daemon: Service) -> None:
    """However often it is sent; with another request it is a conflict, and what is no key is refused."""
    daemon.need_feature("runs.idempotency_key")
    key = new_id("key")
    first, again = (
        read(daemon.http.post("/v1/runs", json=_ADD, headers={"Idempotency-Key": key}), "daemon/runs/run_status", 202)
        for _ in range(2)
    )
    assert first["run_id"] == again["run_id"]
    other = daemon.http.post("/v1/runs", json={"input": {"goal": "another"}}, headers={"Idempotency-Key": key})
    read_error(other, 409, "idempotency_key_conflict")
    bad = daemon.http.post("/v1/runs", json=_ADD, headers={"Idempotency-Key": "k" * 256})
    read_error(bad, 400, "invalid_request")


@pytest.mark.requirement("disconnect.cancel", "disconnect.loses_nothing")
def test_a_reader_takes_its_run_along_where_it_says_so(daemon: Service) -> None:
    """One that says nothing leaves its run alone."""
    daemon.need_feature("run.events.on_disconnect")
    run_id = daemon.submit(daemon.goals.need_long())["run_id"]
    with daemon.following(run_id) as events:
        next(events)
    with daemon.following(run_id, on_disconnect="cancel") as events:
        next(events)
        assert daemon.status(run_id)["state"] == "running"
    assert daemon.finish(run_id)[0]["state"] == "canceled"
    refused = daemon.http.get(f"/v1/runs/{run_id}/events", params={"on_disconnect": "keep"})
    read_error(refused, 400, "invalid_request")
