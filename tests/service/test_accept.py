"""What an Accept header asks for."""

from __future__ import annotations

import pytest

from arp_service.accept import prefers


@pytest.mark.parametrize(
    "accept",
    [
        "application/x-ndjson",
        "Application/X-NDJSON",
        "application/x-ndjson; q=0.5, text/event-stream; q=0.4",
        "text/event-stream;q=0, application/x-ndjson;q=0.001",
        "application/x-ndjson, */*",
        "application/x-ndjson, text/*",
        "*/*;q=0.9, application/x-ndjson",
        "application/*",
        "text/html, application/x-ndjson;charset=utf-8;q=0.7",
        " , application/x-ndjson ;Q=1.000",
    ],
)
def test_what_is_wanted_more_than_the_default_is_given(accept: str) -> None:
    """By its weight; of the same weight, because it is named more exactly."""
    assert prefers(accept, "application/x-ndjson", "text/event-stream")


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/event-stream",
        "application/json",
        "application/x-ndjson, text/event-stream",
        "application/x-ndjson;q=0.5, text/event-stream;q=0.6",
        "application/x-ndjson;q=0.5, */*",
        "application/x-ndjson;q=0",
        "application/x-ndjson;q=0.000, application/*",
        "application/x-ndjsonl",
        "x-ndjson",
        ",;,q=1,/",
        "application/x-ndjson\x00",
    ],
)
def test_the_default_stays_where_nothing_else_is_wanted_more(accept: str) -> None:
    """Nothing said, anything, as much as the default, less, or not at all; and what makes no sense."""
    assert not prefers(accept, "application/x-ndjson", "text/event-stream")
