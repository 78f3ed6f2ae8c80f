"""Server-sent events, read as strictly as a client may (WHATWG HTML, 9.2): what is odd fails the test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


class SentEvent(NamedTuple):
    """One event, as it was sent."""

    id: str
    event: str
    data: dict[str, Any]


def read_events(response: httpx.Response) -> Iterator[SentEvent]:
    """Yield the events of a stream as they come, until it ends.

    An event has exactly one `id`, one `event` and one `data`: a RunEvent stands on one line.
    """
    assert response.status_code == 200, response.read()
    assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
    fields: dict[str, str] = {}
    for line in _lines(response):
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            assert name not in fields, f"{name} comes twice in one event"
            fields[name] = value.removeprefix(" ")
        elif fields:
            assert fields.keys() == {"id", "event", "data"}
            yield SentEvent(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}
    assert not fields, "the stream ended within an event"


def _lines(response: httpx.Response) -> Iterator[str]:
    """Lines by LF or CRLF. (httpx would split at characters that may stand in the data.)"""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode()
    assert not rest, "the stream ended within a line"
