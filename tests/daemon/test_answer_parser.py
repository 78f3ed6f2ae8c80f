"""What an instance may say without coming to the point is bounded."""

from __future__ import annotations

import pytest

from arp_daemon.answer_parser import AnswerParser, BrokenAnswerError

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_PIECE = b"x" * 10_000


def _feed(*pieces: bytes) -> None:
    parser = AnswerParser()
    for piece in pieces:
        parser.feed(piece)


@pytest.mark.parametrize(
    "begins",
    [b"HTTP/1.1 200 OK\r\nX: ", _CHUNKED + b"2;x=", _CHUNKED + b"2\r\n{}\r\n0\r\nX: "],
    ids=["a header", "what stands beside a chunk's size", "a header after the body"],
)
def test_an_answer_that_comes_to_no_end_is_broken(begins: bytes) -> None:
    """The parser keeps what it has not told of, so an instance could fill the daemon's memory with it."""
    with pytest.raises(BrokenAnswerError, match="65536 bytes"):
        _feed(begins, *[_PIECE] * 100)


def test_a_body_may_be_as_long_as_it_likes() -> None:
    """Whoever takes it bounds it: a stream of events has no end."""
    parser = AnswerParser()
    parser.feed(_CHUNKED)
    for _ in range(100):
        parser.feed(b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE))
        assert parser.take() == _PIECE
