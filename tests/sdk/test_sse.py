"""The reader of server-sent events, by the rules of the HTML standard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_sdk import _sse
from arp_sdk._sse import SseError, SseEvent, SseParser


def read(*chunks: bytes) -> list[SseEvent]:
    """All events of a stream that comes in these chunks."""
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: x\n\n", [SseEvent("", "message", "x")]),
        (b"data:x\n\n", [SseEvent("", "message", "x")]),
        (b"data:  x\n\n", [SseEvent("", "message", " x")]),
        (b"id: 4\nevent: step\ndata: x\n\n", [SseEvent("4", "step", "x")]),
        (b"data: a\ndata: b\n\n", [SseEvent("", "message", "a\nb")]),
        (b"data\n\n", [SseEvent("", "message", "")]),
        (b": comment\n\ndata: x\n\n", [SseEvent("", "message", "x")]),
        (b"event: step\n\ndata: x\n\n", [SseEvent("", "message", "x")]),
        (b"id: 1\ndata: x\n\ndata: y\n\n", [SseEvent("1", "message", "x"), SseEvent("1", "message", "y")]),
        (b"id: 1\ndata: x\n\nid\ndata: y\n\n", [SseEvent("1", "message", "x"), SseEvent("", "message", "y")]),
        (b"id: 1\ndata: x\n\nid: a\0b\ndata: y\n\n", [SseEvent("1", "message", "x"), SseEvent("1", "message", "y")]),
        (b"retry: 10\nunknown: 1\ndata: x\n\n", [SseEvent("", "message", "x")]),
        (b"\xef\xbb\xbfdata: x\n\n", [SseEvent("", "message", "x")]),
        (b"data: x\n\ndata: unfinished\n", [SseEvent("", "message", "x")]),
        (b"data: x:y\n\n", [SseEvent("", "message", "x:y")]),
        ("data: é…\n\n".encode(), [SseEvent("", "message", "é…")]),
        (b"data: \xff\n\n", [SseEvent("", "message", "\ufffd")]),
        (b"", []),
    ],
)
def test_a_stream_is_read_by_the_rules(text: bytes, events: list[SseEvent]) -> None:
    """Fields, comments, ids, byte order mark and broken text are taken as the standard says."""
    assert read(text) == events


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_counts(end: bytes) -> None:
    """Lines may end in a line feed, a carriage return, or both."""
    text = b"id: 1\ndata: a\ndata: b\n\ndata: c\n\n".replace(b"\n", end)
    expected = [SseEvent("1", "message", "a\nb"), SseEvent("1", "message", "c")]
    assert read(text) == expected
    assert read(*(bytes([byte]) for byte in text)) == expected


def test_an_event_is_given_at_once_though_more_may_follow() -> None:
    """A stream of carriage returns does not wait for a line feed that might belong to the last one."""
    parser = SseParser()
    assert list(parser.feed(b"data: x\r\r")) == [SseEvent("", "message", "x")]
    assert list(parser.feed(b"\ndata: y\r\n\r\n")) == [SseEvent("", "message", "y")]


@given(st.data(), st.lists(st.sampled_from([b"data: a", b"data: \xc3\xa9", b"id: 7", b"event: e", b":", b"", b"x"])))
def test_where_a_stream_is_cut_makes_no_difference(data: st.DataObject, lines: list[bytes]) -> None:
    """The events are the same however the network divides the bytes."""
    text = b"".join(line + data.draw(st.sampled_from([b"\n", b"\r", b"\r\n"])) for line in lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(*pieces) == read(text)


def test_an_event_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line, or an event of many lines, that grows over the bound is an error."""
    monkeypatch.setattr(_sse, "MAX_EVENT_SIZE", 1000)
    with pytest.raises(SseError):
        read(b"data: " + b"x" * 500, b"x" * 500)
    with pytest.raises(SseError):
        read(*[b"data: 12345\n"] * 100)
    assert len(read(*[b"data: 12345\n\n"] * 100)) == 100
