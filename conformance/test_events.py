"""Event streams: order, form, and coming back."""

from __future__ import annotations

import json

import pytest

from conformance.service import Service, read_error

_GOALS = ["What is (19*23)?", "fail: on purpose", "say \u2028 \u00fc \U0001f600 and\nmore", "count to 5 quickly"]
_LAST = {"final", "error"}


@pytest.mark.requirement("events.stream")
def test_a_runtime_sends_the_events_of_a_run(runtime: Service) -> None:
    """Each is a RunEvent of that run; the stream ends when the run has. (Looked at while they are read.)"""
    assert runtime.events(runtime.submit(runtime.goals.short)["run_id"])


@pytest.mark.requirement("events.relayed")
def test_a_daemon_sends_the_events_of_a_run(daemon: Service) -> None:
    """Each is a RunEvent of that run; the stream ends when the run has."""
    assert daemon.events(daemon.submit(daemon.goals.short)["run_id"])


@pytest.mark.requirement("events.order")
@pytest.mark.parametrize("goal", _GOALS, ids=ascii)
def test_events_count_up_to_one_last(service: Service, goal: str) -> None:
    """No gap, and one last event, which tells how the run ended."""
    run_id = service.submit(service.goals.of_arp(goal))["run_id"]
    events = [event.data for event in service.events(run_id)]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [event["type"] in _LAST for event in events] == [False] * (len(events) - 1) + [True]
    assert (events[-1]["type"] == "final") == (service.status(run_id)["state"] == "succeeded")


@pytest.mark.requirement("events.frames")
@pytest.mark.parametrize("goal", _GOALS, ids=ascii)
def test_an_event_is_one_frame(service: Service, goal: str) -> None:
    """Its id is the seq, its event the type. (Looked at while events are read: that it is one line, too.)"""
    service.need_feature("run.events")
    assert service.events(service.submit(service.goals.of_arp(goal))["run_id"])


@pytest.mark.requirement("events.result")
@pytest.mark.parametrize("goal", _GOALS, ids=ascii)
def test_the_last_event_has_the_result(service: Service, goal: str) -> None:
    """All of it but the run's id; status and result are there as soon as it was sent."""
    run_id = service.submit(service.goals.of_arp(goal))["run_id"]
    last = service.events(run_id)[-1]
    status, result = service.status(run_id), service.result(run_id)
    assert {"run_id": run_id, **last.data["data"]} == result
    assert (last.event == "final") == result["ok"] == (status["state"] == "succeeded")


@pytest.mark.requirement("events.tell")
def test_events_tell_what_the_agent_does(service: Service) -> None:
    """A calculation shows its step, its tool call and what came of it, and the answer in tokens."""
    events = service.events(service.submit(service.goals.of_arp("What is (19*23)?"))["run_id"])
    types = [event.event for event in events]
    assert types[:3] == ["step", "tool_call", "tool_result"]
    assert set(types[3:-1]) == {"token"}
    assert "437" in str(events[2].data["data"])


@pytest.mark.requirement("events.tell")
def test_events_come_while_the_run_goes_on(service: Service) -> None:
    """A watcher sees the first events of a run that is far from its end."""
    run_id = service.submit(service.goals.of_arp("count to 100000 slowly"))["run_id"]
    with service.following(run_id) as events:
        seen = [next(events) for _ in range(3)]
        assert service.status(run_id)["state"] == "running"
    assert [event.id for event in seen] == ["0", "1", "2"]
    service.cancel(run_id)


@pytest.mark.requirement("events.resume")
def test_a_reader_resumes_at_every_position(service: Service) -> None:
    """After each event there is exactly the rest; after the last, nothing; `after` means the same."""
    run_id = service.submit(service.goals.of_arp("count to 5 quickly"))["run_id"]
    events = service.events(run_id)
    assert [service.events(run_id, event.id) for event in events] == [events[n + 1 :] for n in range(len(events))]
    for position, event in enumerate(events):
        with service.following(run_id, after=event.id) as rest:
            assert list(rest) == events[position + 1 :]


@pytest.mark.requirement("events.resume")
def test_the_header_counts_before_the_parameter(service: Service) -> None:
    """A browser that reconnects sends its header to the address it has."""
    run_id = service.submit(service.goals.of_arp("count to 5 quickly"))["run_id"]
    events = service.events(run_id)
    with service.following(run_id, events[2].id, after=events[0].id) as rest:
        assert list(rest) == events[3:]


@pytest.mark.requirement("disconnect.loses_nothing", "events.resume")
def test_a_reader_that_leaves_can_come_back(service: Service) -> None:
    """A run goes on without its reader, who comes back before its end and misses nothing."""
    run_id = service.submit(service.goals.of_arp("count to 25"))["run_id"]
    with service.following(run_id) as stream:
        seen = [next(stream) for _ in range(5)]
    assert service.status(run_id)["state"] in {"running", "succeeded"}
    rest = service.events(run_id, seen[-1].id)
    assert seen + rest == service.events(run_id)
    assert rest[-1].event == "final"


@pytest.mark.requirement("events.lines", "events.resume")
@pytest.mark.parametrize("goal", _GOALS, ids=ascii)
def test_events_come_as_lines_of_json_where_they_are_asked_for(service: Service, goal: str) -> None:
    """The same events, a line each, from the start and after each of them; a reader of frames gets frames."""
    service.need_feature("run.events.ndjson")
    run_id = service.submit(service.goals.of_arp(goal))["run_id"]
    events = [event.data for event in service.events(run_id)]
    path, accept = f"/v1/runs/{run_id}/events", {"Accept": "application/x-ndjson"}
    for seen in range(-1, len(events)):
        response = service.http.get(path, headers={**accept, **({"Last-Event-ID": str(seen)} if seen >= 0 else {})})
        assert response.headers["content-type"].partition(";")[0] == "application/x-ndjson"
        lines = [line for line in response.content.split(b"\n") if line]
        assert [json.loads(line) for line in lines] == events[seen + 1 :]
    preferred = {"Accept": "application/x-ndjson;q=0.5, text/event-stream"}
    assert service.http.get(path, headers=preferred).headers["content-type"].startswith("text/event-stream")


@pytest.mark.requirement("events.bad_position")
@pytest.mark.parametrize("position", ["x", "1.5", "-2", "1 2", "9" * 30, "\u00b2"], ids=ascii)
def test_a_position_that_is_no_seq_is_refused(service: Service, position: str) -> None:
    """What the reader has seen last is a seq or nothing."""
    service.need_feature("run.events")
    run_id = service.submit(service.goals.short)["run_id"]
    path = f"/v1/runs/{run_id}/events"
    read_error(service.http.get(path, params={"after": position}), 400, "invalid_request")
    headers = {b"Last-Event-ID": position.encode()}
    read_error(service.http.get(path, headers=headers), 400, "invalid_request")
