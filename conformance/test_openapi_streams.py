"""The answers that do not end, each read for a while: what Schemathesis has to leave out."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

from conformance.event_stream import read_events
from conformance.schemas import assert_valid
from conformance.test_openapi_document import document_of

if TYPE_CHECKING:
    from conformance.service import Service

_RUNS = 3
_EVENTS = 8


def media_types(service: Service, path: str) -> set[str]:
    """What the document says that an operation answers with."""
    return set(document_of(service)["paths"][path]["get"]["responses"]["200"]["content"])


@pytest.mark.requirement("openapi.kept")
def test_the_stream_of_all_events_is_as_the_document_says(runtime: Service) -> None:
    """Server-sent events, each a RunEvent under a cursor of its own; a cursor leads back to what follows it."""
    for _ in range(_RUNS):
        runtime.run(runtime.goals.of_arp("What is (19*23)?"))
    told = media_types(runtime, "/v1/events")
    with runtime.http.stream("GET", "/v1/events") as response:
        assert response.headers["content-type"].partition(";")[0] in told
        first = list(islice(read_events(response), _EVENTS))
    with runtime.http.stream("GET", "/v1/events", headers={"Last-Event-ID": first[1].id}) as response:
        again = list(islice(read_events(response), _EVENTS - 2))
    for event in first:
        assert_valid(event.data, "runtime/runs/run_event")
    assert len({event.id for event in first}) == _EVENTS
    assert again == first[2:]


@pytest.mark.requirement("openapi.kept")
@pytest.mark.parametrize("parameters", [{}, {"after": "0"}], ids=["whole", "after"])
def test_the_stream_of_a_run_is_as_the_document_says(service: Service, parameters: dict[str, str]) -> None:
    """Each event is a RunEvent, while the run goes on; then the reader leaves, and the run is canceled."""
    path = "/v1/runs/{run_id}/events"
    told = media_types(service, path)
    run_id = service.submit(service.goals.of_arp("count to 100000 slowly"))["run_id"]
    with service.http.stream("GET", path.format(run_id=run_id), params=parameters) as response:
        assert response.headers["content-type"].partition(";")[0] in told
        events = list(islice(read_events(response), _EVENTS))
    for event in events:
        assert_valid(event.data, "runtime/runs/run_event")
    assert [event.data["seq"] for event in events] == list(range(len(parameters), len(parameters) + _EVENTS))
    service.cancel(run_id)


@pytest.mark.requirement("openapi.kept")
def test_the_followed_output_of_an_instance_is_as_the_document_says(daemon: Service) -> None:
    """A text, which comes while the instance lives."""
    _status, _result = daemon.run(daemon.goals.of_arp("What is (19*23)?"))
    instance = daemon.http.get("/v1/instances").json()["instances"][0]["instance_id"]
    path = "/v1/instances/{instance_id}/logs"
    told = media_types(daemon, path)
    with daemon.http.stream("GET", path.format(instance_id=instance), params={"follow": "true"}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].partition(";")[0] in told
        assert next(response.iter_text())
