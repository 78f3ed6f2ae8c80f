"""What is read as a request, and what is refused as none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_service.request_parser import MAX_HEAD_BYTES, IncomingRequest, RequestParser

_THREE = (
    b"POST /v1/runs?a=b HTTP/1.1\r\nHost: localhost \r\nX-Empty:\r\nContent-Length: 5\r\n\r\nhello"
    b"\r\nPUT /%20 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;note=x\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n"
    b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
)
_READ = [
    ("POST", b"/v1/runs?a=b", [(b"host", b"localhost"), (b"x-empty", b""), (b"content-length", b"5")], b"hello", True),
    ("PUT", b"/%20", [(b"transfer-encoding", b"chunked")], b"abcde", True),
    ("GET", b"/", [(b"connection", b"close")], b"", False),
]
_HEAD = b"GET / HTTP/1.1\r\n"


def _fed(*pieces: bytes) -> RequestParser:
    parser = RequestParser()
    for piece in pieces:
        parser.feed(piece)
    return parser


def _read(request: IncomingRequest) -> object:
    assert request.is_complete
    return request.method, request.target, request.headers, request.take(), request.keeps_alive


@given(st.lists(st.integers(1, len(_THREE)), max_size=12))
def test_requests_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    """TCP has no pieces: a head, a chunk or a line's end may come in two."""
    places = [0, *sorted(cuts), len(_THREE)]
    parser = _fed(*(_THREE[start:end] for start, end in pairwise(places)))
    assert [_read(request) for request in parser.requests] == _READ
    assert parser.refused is None


@pytest.mark.parametrize(
    "sent",
    [
        b"hello\r\n\r\n",
        b"GET /\r\n\r\nrest",
        b"CONNECT elsewhere:1 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /é HTTP/1.1\r\n\r\n".encode(),
        _HEAD + b"A : b\r\n\r\n",
        _HEAD + b"A: b\r\n folded\r\n\r\n",
        _HEAD + b"A: b\nB: c\r\n\r\n",
        _HEAD + b"A: \0\r\n\r\n",
        _HEAD + b"Content-Length: +1\r\n\r\n",
        _HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        _HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        _HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        _HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        _HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_request_is_refused(sent: bytes) -> None:
    """Above all what two readers could take for two different requests (RFC 9112, 11.2)."""
    parser = _fed(sent)
    assert parser.refused in {400, 501, 505}
    parser.feed(_THREE)
    assert not any(request.is_complete for request in parser.requests)


def test_a_method_that_there_is_not_is_refused_as_such() -> None:
    """501 (RFC 9110, 15.6.2); one that there is, and no route has, is for the application to refuse."""
    assert _fed(b"BREW / HTTP/1.1\r\n\r\n").refused == 501
    assert _fed(b"PROPFIND / HTTP/1.1\r\n\r\n").refused is None


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_another_version_is_refused_as_such(version: bytes) -> None:
    """What is not HTTP/1 gets 505 (RFC 9110, 15.6.6)."""
    assert _fed(b"GET / HTTP/%b\r\n\r\n" % version).refused == 505


@pytest.mark.parametrize(
    "sent",
    [
        _HEAD + b"A: %b" % (b"x" * 3 * MAX_HEAD_BYTES),
        _HEAD + b"A: %b\r\n\r\n" % (b"x" * MAX_HEAD_BYTES),
        _HEAD + b"A: x\r\n" * MAX_HEAD_BYTES,
        b"GET /%b" % (b"x" * MAX_HEAD_BYTES),
        _HEAD + b"A: %b\r\n\r\n" % (b"x" * MAX_HEAD_BYTES) + _HEAD + b"\r\n",
    ],
    ids=["one header that does not end", "a whole one", "many", "target", "one before another"],
)
def test_a_head_is_bounded(sent: bytes) -> None:
    """Whoever sends headers for ever is not listened to for ever; nor is what comes after taken for the answer's."""
    parser = _fed(*(sent[place : place + 1000] for place in range(0, len(sent), 1000)))
    assert parser.refused == 431
    assert not parser.requests


def test_a_head_that_begins_behind_a_large_body_is_not_taken_for_large() -> None:
    """What counts is the head's own."""
    body = b"x" * 4 * MAX_HEAD_BYTES
    parser = _fed(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) + _HEAD, b"A: b\r\n", b"\r\n")
    assert [request.is_complete for request in parser.requests] == [True, True]
    assert parser.refused is None


def test_many_requests_that_come_one_behind_the_other_are_not_taken_for_a_large_head() -> None:
    """Wherever they are cut: a client may send the next before it has its answer, for as long as it likes."""
    count = 20_000
    sent = (_HEAD + b"A: bc\r\n\r\n") * count
    parser = _fed(*(sent[place : place + 2 * MAX_HEAD_BYTES] for place in range(0, len(sent), 2 * MAX_HEAD_BYTES)))
    assert (len(parser.requests), parser.refused) == (count, None)


@pytest.mark.parametrize("sent", [b"0\r\nA: ", b"0\r\n" + b"A: x\r\n" * MAX_HEAD_BYTES, b"5;a="])
def test_what_is_beside_a_body_is_bounded_too(sent: bytes) -> None:
    """Headers that come after it, and what is said of a chunk: the parser would keep it, or read it without end."""
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    parser = _fed(head, sent, *[b"x" * 1000] * 3 * (MAX_HEAD_BYTES // 1000))
    assert parser.refused == 431
    assert not parser.requests[0].is_complete


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_upgrade_is_not_taken_up(version: str) -> None:
    """The request counts as one that asked for nothing, with its body and with what follows it (RFC 9110, 7.8)."""
    head = f"POST /a HTTP/{version}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n"
    parser = _fed(head.encode() + b"bo", b"dy")
    (request,) = parser.requests
    assert (request.method, request.target, request.version, request.take()) == ("POST", b"/a", version, b"body")
    assert (request.is_complete, request.keeps_alive) == (True, version == "1.1")
    assert parser.refused is None


def test_many_upgrades_are_read_one_after_the_other() -> None:
    """However many come in one piece."""
    count = 1200
    parser = _fed((_HEAD + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n") * count)
    assert (len(parser.requests), parser.refused) == (count, None)
