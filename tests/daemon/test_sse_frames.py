"""Reading server-sent events, however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.sse_frames import FrameReader, FrameTooLongError

_USUAL = b'id: 0\nevent: token\ndata: {"a":1}\n\nid: 1\nevent: token\ndata: {"a":2}\n\n'
_TEXT = b": hello\n\n" + _USUAL + b"id:2\nevent:final\ndata:{}\n\ndata: x\ndata: y\n\n"
_DATA = [b'{"a":1}', b'{"a":2}', b"{}", b"x\ny"]


@given(st.lists(st.integers(0, len(_TEXT)), max_size=8), st.booleans())
def test_frames_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int], crlf: bool) -> None:
    """Any chunks of the same stream give the same frames, with either line end."""
    text = _TEXT.replace(b"\n", b"\r\n") if crlf else _TEXT
    edges = [0, *sorted(cuts), len(text)]
    reader = FrameReader(1000)
    heard = [some for start, end in itertools.pairwise(edges) if (some := reader.feed(text[start:end])) is not None]
    assert [data for some in heard for data in some.data] == _DATA
    assert heard[-1].last_id == b""


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (_USUAL, [b'{"a":1}', b'{"a":2}']),
        (b"data: 0\n" + _USUAL, [b'0\n{"a":1}', b'{"a":2}']),
        (b": hello\n" + _USUAL, [b'{"a":1}', b'{"a":2}']),
        (_USUAL.replace(b"id: 0", b"xid: 0"), [b'{"a":1}', b'{"a":2}']),
        (_USUAL.replace(b"data: ", b"date: ", 1), [b'{"a":2}']),
        (_USUAL.replace(b"\n\n", b"\ndata: 0\n\n", 1), [b'{"a":1}\n0', b'{"a":2}']),
        (_USUAL.replace(b"\n\n", b"\n\n\n\n", 1), [b'{"a":1}', b'{"a":2}']),
    ],
)
def test_what_is_nearly_as_usual_is_read_by_the_rules_of_the_standard(text: bytes, data: list[bytes]) -> None:
    """Frames that are cut out together are those that are written so, and no others."""
    assert FrameReader(1000).feed(text) == (data, b"1")


@given(st.binary(max_size=60).map(lambda noise: noise.replace(b"\x00", b"\n")), st.integers(0, len(_USUAL)))
def test_noise_in_usual_frames_gives_the_same_whether_they_come_together_or_byte_by_byte(noise: bytes, at: int) -> None:
    """The way that is taken with many frames at once gives what the way line by line does."""
    text = _USUAL[:at] + noise + _USUAL[at:] + b"\n\n"
    together, singly = FrameReader(1000), FrameReader(1000)
    whole = together.feed(text)
    pieces = [some for byte in text if (some := singly.feed(bytes([byte]))) is not None]
    assert ([] if whole is None else whole.data) == [data for some in pieces for data in some.data]


def test_a_frame_that_does_not_end_is_refused_at_the_limit() -> None:
    """An endless event does not fill the memory."""
    reader = FrameReader(100)
    reader.feed(b"data: " + b"x" * 90)
    with pytest.raises(FrameTooLongError):
        reader.feed(b"x" * 20)
