"""Server-sent events, read as a browser does (WHATWG HTML, 9.2), except that a stream which breaks off is a fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.judgement import NotMetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

_FRAMES = "events.frames"


class SentEvent(NamedTuple):
    """One event, as it was sent; `id` and `event` are empty where the service sends none."""

    id: str
    event: str
    data: dict[str, Any]


def read_events(response: httpx.Response, requirement: str | None = None) -> Iterator[SentEvent]:
    """Yield the events of a stream as they come, until it ends; what is no such stream breaks the requirement.

    A RunEvent stands on one line, so an event has one `data`, and one `id` and `event` at most.
    """
    if response.status_code != 200:
        response.read()
        raise NotMetError(f"the answer is a stream, not {response.status_code}", requirement)
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type != "text/event-stream":
        raise NotMetError(f"the answer is a text/event-stream, not {media_type!r}", requirement)
    fields: dict[str, str] = {}
    for line in _lines(response, requirement):
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            if name in fields:
                raise NotMetError(f"{name}: comes once in an event", _FRAMES)
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield SentEvent(fields.get("id", ""), fields.get("event", ""), _decoded(fields["data"], requirement))
            fields = {}
    if fields:
        raise NotMetError("the stream does not end within an event", requirement)


def _decoded(data: str, requirement: str | None) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as exc:
        raise NotMetError(f"`data:` is a RunEvent in JSON: {exc}", requirement) from exc
    if not isinstance(document, dict):
        raise NotMetError("`data:` is a RunEvent, which is an object", requirement)
    return document


def _lines(response: httpx.Response, requirement: str | None) -> Iterator[str]:
    """Lines by LF or CRLF. (httpx would split at characters that may stand in the data.)"""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode()
    if rest:
        raise NotMetError("the stream does not end within a line", requirement)
