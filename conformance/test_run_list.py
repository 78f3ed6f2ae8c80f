"""The daemon's list of runs, its pages, and traces, also those of a runtime."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.goals import not_applicable
from conformance.service import Service, new_id, read, read_error

_LISTS = ["/v1/runs", "/v1/admin/runtime-profiles"]


def _list_runs(daemon: Service, **parameters: Any) -> tuple[list[str], str | None]:
    """The ids of one page, and the token of the next."""
    runs, token = _statuses(daemon, **parameters)
    return [run["run_id"] for run in runs], token


def _statuses(daemon: Service, **parameters: Any) -> tuple[list[dict[str, Any]], str | None]:
    """The runs of one page, and the token of the next."""
    page = read(daemon.http.get("/v1/runs", params=parameters), "daemon/runs/run_list_response")
    return page["runs"], page.get("pagination", {}).get("next_page_token")


@pytest.mark.requirement("runs.pages")
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_pages_show_every_run(daemon: Service, page_size: int) -> None:
    """No page is too long, and whoever follows the tokens comes to an end."""
    mine = {daemon.submit(daemon.goals.short, run_id=new_id("listed"))["run_id"] for _ in range(3)}
    page, token = _list_runs(daemon, page_size=page_size)
    shown, seen = set(page), {token}
    assert len(page) <= page_size
    while token is not None and not mine <= shown:
        page, token = _list_runs(daemon, page_size=page_size, page_token=token)
        assert len(page) <= page_size
        assert token is None or token not in seen
        shown |= set(page)
        seen.add(token)
    assert mine <= shown


@pytest.mark.requirement("runs.pages")
def test_the_last_page_has_no_token(daemon: Service) -> None:
    """Whoever follows the tokens comes to an end."""
    daemon.submit(daemon.goals.short)
    page, token = _list_runs(daemon)
    seen = set()
    while token is not None:
        assert token not in seen
        seen.add(token)
        page, token = _list_runs(daemon, page_token=token)
    assert page


@pytest.mark.requirement("runs.order")
@pytest.mark.parametrize("page_size", [1, 2, 1000])
def test_runs_come_newest_first(daemon: Service, page_size: int) -> None:
    """Every run once; runs that come in the meantime shift nothing."""
    mine = [daemon.submit(daemon.goals.short, run_id=new_id("listed"))["run_id"] for _ in range(5)]
    first, token = _list_runs(daemon, page_size=page_size)
    daemon.submit(daemon.goals.short)
    pages = [first]
    while token is not None and not set(mine) <= {run_id for page in pages for run_id in page}:
        page, token = _list_runs(daemon, page_size=page_size, page_token=token)
        pages.append(page)
    shown = [run_id for page in pages for run_id in page]
    assert [run_id for run_id in shown if run_id in mine] == mine[::-1]
    assert len(set(shown)) == len(shown)


@pytest.mark.requirement("runs.list")
def test_a_listed_run_is_its_status(daemon: Service) -> None:
    """The list tells the same as the run's own status."""
    status, _ = daemon.run(daemon.goals.short)
    page, token = _statuses(daemon)
    while token is not None and status not in page:
        page, token = _statuses(daemon, page_token=token)
    assert status in page, "the run is listed, and just as its RunStatus is"


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
    daemon.submit(daemon.goals.short)
    daemon.submit(daemon.goals.short)
    _, token = _list_runs(daemon, page_size=1)
    response = daemon.http.get("/v1/admin/runtime-profiles", params={"page_token": str(token)})
    read_error(response, 400, "invalid_page_token")


@pytest.mark.requirement("trace.answer")
def test_a_run_has_a_trace(daemon: Service) -> None:
    """It tells the run's story, in order, or where that is."""
    status, _ = daemon.run(daemon.goals.short)
    response = daemon.http.get(f"/v1/runs/{status['run_id']}/trace")
    if not daemon.features and response.status_code in {404, 405, 501}:
        not_applicable(f"traces are optional, and not offered: {response.status_code}")
    trace = read(response, "daemon/runs/trace_response")
    events = trace.get("events", [])
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    assert {event["run_id"] for event in events} <= {status["run_id"]}


@pytest.mark.requirement("run.not_found")
@pytest.mark.kinds("runtime", "daemon")
def test_a_run_that_is_not_there_has_no_trace(service: Service) -> None:
    """It is the run which is missing, not the path."""
    if service.kind == "runtime":
        service.need_feature("run.trace")
    read_error(service.http.get(f"/v1/runs/{new_id('nothing')}/trace"), 404, "run_not_found")


@pytest.mark.requirement("trace.runtime")
def test_a_runtime_has_a_trace_of_its_own(runtime: Service) -> None:
    """Of its runs alone, counted and in the order of time."""
    runtime.need_feature("run.trace")
    status, _ = runtime.run(runtime.goals.short)
    trace = read(runtime.http.get(f"/v1/runs/{status['run_id']}/trace"), "daemon/runs/trace_response")["events"]
    assert [event["seq"] for event in trace] == list(range(len(trace)))
    assert [event["time"] for event in trace] == sorted(event["time"] for event in trace)
    assert {event["run_id"] for event in trace} == {status["run_id"]}
