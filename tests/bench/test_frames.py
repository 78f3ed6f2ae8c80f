"""Counting the events of a stream that comes in pieces."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.load.frames import FrameCount
from hypothesis import given
from hypothesis import strategies as st

FRAMES = [b'id: %d\nevent: token\ndata: {"seq": %d}\n\n' % (seq, seq) for seq in range(20)]
STREAM = b": a comment\n\n".join([b"", *FRAMES, b""])


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_each_event_counts_once_however_the_stream_is_cut(cuts: list[int]) -> None:
    """Comments do not count."""
    edges = [0, *sorted(cuts), len(STREAM)]
    count = FrameCount()
    for start, end in pairwise(edges):
        count.feed(STREAM[start:end])
    assert (count.events, count.complete) == (20, True)
    assert count.pieces == len(edges) - 1


def test_a_lost_event_is_noticed() -> None:
    """In the middle, at the beginning and at the end, and one that comes twice."""
    for lost in (5, 0):
        count = FrameCount()
        count.feed(b"".join(FRAMES[:lost] + FRAMES[lost + 1 :]))
        assert not count.complete
    twice = FrameCount()
    twice.feed(b"".join([*FRAMES, FRAMES[-1]]))
    assert not twice.complete
    assert not FrameCount().complete
