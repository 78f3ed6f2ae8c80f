"""Reading server-sent events, however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.sse_frames import FrameReader, FrameTooLongError, SseFrame

_FRAMES = [SseFrame(b"0", b"token", b'{"a":1}'), SseFrame(b"1", b"final", b"{}"), SseFrame(b"", b"", b"x\ny")]
_TEXT = b': hello\n\nid: 0\nevent: token\ndata: {"a":1}\n\nid:1\nevent:final\ndata:{}\n\ndata: x\ndata: y\n\n'


@given(st.lists(st.integers(0, len(_TEXT)), max_size=8), st.booleans())
def test_frames_do_not_depend_on_how_the_bytes_are_cut(cuts: list[int], crlf: bool) -> None:
    """Any chunks of the same stream give the same frames, with either line end."""
    text = _TEXT.replace(b"\n", b"\r\n") if crlf else _TEXT
    edges = [0, *sorted(cuts), len(text)]
    reader = FrameReader(1000)
    found = [f for start, end in itertools.pairwise(edges) for f in reader.feed(text[start:end])]
    assert found == _FRAMES


def test_a_frame_that_does_not_end_is_refused_at_the_limit() -> None:
    """An endless event does not fill the memory."""
    reader = FrameReader(100)
    reader.feed(b"data: " + b"x" * 90)
    with pytest.raises(FrameTooLongError):
        reader.feed(b"x" * 20)
