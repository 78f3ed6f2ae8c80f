"""What a newer service says besides is ignored, and counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from arp_model import Health, RunListResponse, decode_lenient
from arp_model._lenient import MAX_UNKNOWN
from arp_sdk import AsyncDaemonClient, DaemonClient
from arp_sdk.errors import ArpApiError, ArpResponseError

if TYPE_CHECKING:
    from sdk.service import Service

STATUS = {"run_id": "r1", "state": "queued"}


def test_unknown_fields_are_counted_by_type_and_name(service: Service) -> None:
    """Wherever they are in an answer, and however often; an error's as well."""
    run = {**STATUS, "mood": "fine"}
    service.answer("GET", "/v1/runs", {"runs": [run, run], "pagination": {"total": 2}, "took_ms": 1})
    service.answer("GET", "/v1/runs/r1", {"error": {"code": "c", "message": "m", "hint": "h"}}, status=404)
    with DaemonClient(service.url) as client:
        assert client.unknown_fields == {}
        assert [status.run_id for status in client.list_runs().runs] == ["r1", "r1"]
        with pytest.raises(ArpApiError, match="c: m"):
            client.get_run_status("r1")
        assert client.unknown_fields == {
            "RunListResponse.took_ms": 1,
            "RunStatus.mood": 2,
            "Pagination.total": 1,
            "ErrorDetail.hint": 1,
        }


async def test_the_async_client_counts_as_well(service: Service) -> None:
    """Over all its calls; each client has a count of its own."""
    service.answer("GET", "/v1/runs/r1", {**STATUS, "mood": "fine"})
    async with AsyncDaemonClient(service.url) as client, AsyncDaemonClient(service.url) as other:
        for _ in range(3):
            await client.get_run_status("r1")
        assert (client.unknown_fields, other.unknown_fields) == ({"RunStatus.mood": 3}, {})


def test_what_events_say_besides_is_counted_as_well(service: Service) -> None:
    """A stream is made of answers, too."""
    event = b'data: {"run_id":"r1","seq":0,"type":"final","time":"2025-06-01T12:00:00Z","mood":"fine"}\n\n'
    service.answer("GET", "/v1/runs/r1/events", event)
    service.media_types["GET", "/v1/runs/r1/events"] = "text/event-stream"
    with DaemonClient(service.url) as client:
        assert [event.seq for event in client.iter_run_events("r1")] == [0]
        assert client.unknown_fields == {"RunEvent.mood": 1}


def test_what_is_open_is_not_unknown(service: Service) -> None:
    """Extensions may have any key of their form."""
    service.answer("GET", "/v1/runs/r1", {**STATUS, "extensions": {"x.y": 1}})
    with DaemonClient(service.url) as client:
        client.get_run_status("r1")
    assert client.unknown_fields == {}


def test_an_answer_that_is_refused_is_not_counted(service: Service) -> None:
    """Only what was ignored is counted: here the rest makes no status."""
    service.answer("GET", "/v1/runs/r1", {"run_id": "r1", "mood": "fine"})
    with DaemonClient(service.url) as client, pytest.raises(ArpResponseError):
        client.get_run_status("r1")
    assert client.unknown_fields == {}


def test_made_up_names_do_not_fill_the_memory() -> None:
    """A service that answers with ever new fields is counted up to a bound; known names go on being counted."""
    unknown: Counter[str] = Counter()
    for number in range(MAX_UNKNOWN + 10):
        text = f'{{"status": "ok", "time": "2025-06-01T12:00:00Z", "a": 1, "x{number}": 1}}'
        assert decode_lenient(text, Health, unknown).status == "ok"
    assert len(unknown) == MAX_UNKNOWN
    assert unknown["Health.a"] == MAX_UNKNOWN + 10
    assert decode_lenient(b'{"runs": [], "y": 1}', RunListResponse).runs == []
