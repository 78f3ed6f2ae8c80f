"""The daemon's list of runs, its pages, and traces, also those of a runtime."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.service import Service, new_id, read, read_error

_LISTS = ["/v1/runs", "/v1/admin/runtime-profiles"]


def _list_runs(daemon: Service, **parameters: Any) -> tuple[list[str], str | None]:
    """The ids of one page, and the token of the next."""
    page = read(daemon.http.get("/v1/runs", params=parameters), "daemon/runs/run_list_response")
    return [run["run_id"] for run in page["runs"]], page["pagination"].get("next_page_token")


@pytest.mark.requirement("runs.list")
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_pages_show_every_run_once(daemon: Service, page_size: int) -> None:
    """Newest first, no page too long; runs that come in the meantime shift nothing."""
    mine = [daemon.submit("What is (19*23)?", run_id=new_id("listed"))["run_id"] for _ in range(5)]
    first, token = _list_runs(daemon, page_size=page_size)
    daemon.submit("What is (19*23)?")
    pages = [first]
    while token is not None and not set(mine) <= {run_id for page in pages for run_id in page}:
        page, token = _list_runs(daemon, page_size=page_size, page_token=token)
        pages.append(page)
    shown = [run_id for page in pages for run_id in page]
    assert max(map(len, pages)) <= page_size
    assert [run_id for run_id in shown if run_id in mine] == mine[::-1]
    assert len(set(shown)) == len(shown)


@pytest.mark.requirement("runs.list")
def test_the_last_page_has_no_token(daemon: Service) -> None:
    """Whoever follows the tokens comes to an end."""
    daemon.submit("What is (19*23)?")
    page, token = _list_runs(daemon)
    while token is not None:
        page, token = _list_runs(daemon, page_token=token)
    assert page


@pytest.mark.requirement("runs.list", "run.status")
def test_a_listed_run_is_its_status(daemon: Service) -> None:
    """The list tells the same as the run's own status."""
    status, _ = daemon.run("What is (19*23)?")
    page = read(daemon.http.get("/v1/runs"), "daemon/runs/run_list_response")
    assert status in page["runs"]


@pytest.mark.requirement("page.bad")
@pytest.mark.parametrize("path", _LISTS)
@pytest.mark.parametrize("page_size", ["0", "-1", "1001", "x", "", "1e2", "1.0", "\u0663", "9" * 30], ids=ascii)
def test_a_page_size_out_of_bounds_is_refused(daemon: Service, path: str, page_size: str) -> None:
    """From 1 to 1000, in digits; the answer names the parameter."""
    response = daemon.http.get(path, params={"page_size": page_size})
    assert "page_size" in read_error(response, 400, "invalid_request")["message"]


@pytest.mark.requirement("page.bad")
@pytest.mark.parametrize("path", _LISTS)
@pytest.mark.parametrize("token", ["x", "", "AAAA", "=", "\u00e9", "cnVuczp4", "cHJvZmlsZXM", "x" * 5000], ids=range(8))
def test_a_token_of_nobody_is_refused(daemon: Service, path: str, token: str) -> None:
    """What was not made by this list is no token."""
    read_error(daemon.http.get(path, params={"page_token": token}), 400, "invalid_page_token")


@pytest.mark.requirement("page.bad")
def test_a_token_of_another_list_is_refused(daemon: Service) -> None:
    """A token belongs to the list that made it."""
    daemon.submit("What is (19*23)?")
    daemon.submit("What is (19*23)?")
    _, token = _list_runs(daemon, page_size=1)
    response = daemon.http.get("/v1/admin/runtime-profiles", params={"page_token": str(token)})
    read_error(response, 400, "invalid_page_token")


@pytest.mark.requirement("trace.answer", "run.unknown")
def test_a_run_has_a_trace(daemon: Service) -> None:
    """It tells the run's story in order, from the queue to the end; a run that is not there has none."""
    status, _ = daemon.run("What is (19*23)?")
    trace = read(daemon.http.get(f"/v1/runs/{status['run_id']}/trace"), "daemon/runs/trace_response")
    assert [event["seq"] for event in trace["events"]] == list(range(len(trace["events"])))
    assert {event["run_id"] for event in trace["events"]} == {status["run_id"]}
    read_error(daemon.http.get(f"/v1/runs/{new_id('nothing')}/trace"), 404, "run_not_found")


@pytest.mark.requirement("trace.runtime", "run.unknown")
def test_a_runtime_has_a_trace_of_its_own(runtime: Service) -> None:
    """Of its runs alone, counted and in the order of time."""
    status, _ = runtime.run("What is (19*23)?")
    trace = read(runtime.http.get(f"/v1/runs/{status['run_id']}/trace"), "daemon/runs/trace_response")["events"]
    assert [event["seq"] for event in trace] == list(range(len(trace)))
    assert [event["time"] for event in trace] == sorted(event["time"] for event in trace)
    assert {event["run_id"] for event in trace} == {status["run_id"]}
    read_error(runtime.http.get(f"/v1/runs/{new_id('nothing')}/trace"), 404, "run_not_found")
