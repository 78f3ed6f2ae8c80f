"""Our additions: many runs in one request, and a runtime's one stream for all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.event_stream import read_events
from conformance.schemas import assert_valid
from conformance.service import Service, new_id, read, read_error

if TYPE_CHECKING:
    import httpx


@pytest.mark.requirement("batch.as_if_alone")
def test_each_of_a_batch_is_treated_alone(service: Service) -> None:
    """What is wrong in one item is told of it, in its place, and the others run."""
    service.need_feature("runs.batch")
    taken, _ = service.run(service.goals.of_arp("What is (19*23)?"), run_id=new_id("taken"))
    first, last = new_id("first"), new_id("last")
    runs = [
        {"run_id": first, "input": {"goal": "What is (19*23)?"}},
        {"input": {"gaol": "x"}},
        {"run_id": taken["run_id"], "input": {"goal": "another"}},
        {"run_id": "a/b", "input": {"goal": "x"}},
        7,
        {"run_id": last, "input": {"goal": "fail"}},
    ]
    response = service.http.post("/v1/runs:batch", json={"runs": runs})
    results = read(response, "runtime/runs/run_batch_response")["results"]
    found = [item["status"]["run_id"] if "status" in item else item["error"]["code"] for item in results]
    assert found == [first, "invalid_request", "run_conflict", "invalid_request", "invalid_request", last]
    assert service.finish(first)[0]["state"] == "succeeded"
    assert service.finish(last)[0]["state"] == "failed"


@pytest.mark.requirement("batch.size")
@pytest.mark.parametrize("size", [0, 1001])
def test_a_batch_has_bounds(service: Service, size: int) -> None:
    """None of its runs is started where there are too many."""
    service.need_feature("runs.batch")
    run_id = new_id("bounded")
    runs = [{"run_id": run_id, "input": {"goal": "x"}}] * size
    read_error(service.http.post("/v1/runs:batch", json={"runs": runs}), 400, "invalid_request")
    read_error(service.http.get(f"/v1/runs/{run_id}"), 404, "run_not_found")


@pytest.mark.requirement("feed.all_runs")
def test_one_stream_has_the_events_of_all_runs(runtime: Service) -> None:
    """Each run's events come in their order; after a cursor come exactly those that followed it."""
    runtime.need_feature("events")
    run_ids = [new_id("fed") for _ in range(3)]
    for run_id in run_ids:
        runtime.submit(runtime.goals.of_arp("count to 5 quickly"), run_id=run_id)
    alone = {run_id: [sent.data for sent in runtime.events(run_id)] for run_id in run_ids}
    count = sum(len(events) for events in alone.values())
    feed = _read_feed(runtime.http, None, run_ids, count)
    for run_id in run_ids:
        assert [data for _, data in feed if data["run_id"] == run_id] == alone[run_id]
    middle = count // 2
    assert _read_feed(runtime.http, feed[middle][0], run_ids, count - middle - 1) == feed[middle + 1 :]


@pytest.mark.requirement("feed.expired")
def test_the_cursor_of_another_process_is_gone(runtime: Service) -> None:
    """A reader that cannot go on where it was learns it, and can begin anew."""
    runtime.need_feature("events")
    run_id = runtime.submit(runtime.goals.of_arp("What is (19*23)?"))["run_id"]
    cursor, _ = _read_feed(runtime.http, None, [run_id], 1)[0]
    process, _, position = cursor.rpartition("-")
    stranger = process.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    response = runtime.http.get("/v1/events", headers={"Last-Event-ID": f"{stranger}-{position}"})
    read_error(response, 410, "events_expired")


def _read_feed(
    client: httpx.Client, cursor: str | None, run_ids: list[str], count: int
) -> list[tuple[str, dict[str, object]]]:
    """The first events of these runs after a cursor, with their cursors."""
    headers = {} if cursor is None else {"Last-Event-ID": cursor}
    found: list[tuple[str, dict[str, object]]] = []
    with client.stream("GET", "/v1/events", headers=headers) as response:
        for sent in read_events(response, "feed.all_runs"):
            assert_valid(sent.data, "runtime/runs/run_event")
            if sent.data["run_id"] in run_ids:
                found.append((sent.id, sent.data))
            if len(found) == count:
                break
    return found
