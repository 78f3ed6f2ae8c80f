"""What is on the line: several requests on a connection, their bodies and their answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
import pytest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from arp_service.body import read_body
from support.connected import GET, HOST, connected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from support.connected import Client

_POST = b"POST /echo HTTP/1.1\r\n" + HOST


async def _echo(request: Request) -> Response:
    return Response(await read_body(request))


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def _pieces(_request: Request) -> Response:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for piece in (b"one", b"", b"two"):
            yield piece

    return StreamingResponse(pieces())


async def _nothing(_request: Request) -> Response:
    return Response(status_code=204)


async def _split(_request: Request) -> Response:
    return Response(headers={"X-Said": "a\r\nX-Other: b"})


async def _wrong(_request: Request) -> Response:
    return Response(b"abc", headers={"Content-Length": "10"})


async def _broken(_request: Request) -> Response:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise RuntimeError("in the middle")

    return StreamingResponse(pieces())


_ENDPOINTS = {
    "hello": _hello,
    "pieces": _pieces,
    "nothing": _nothing,
    "split": _split,
    "wrong": _wrong,
    "broken": _broken,
}


def _answering() -> list[Route]:
    return [Route(f"/{name}", get, methods=["GET", "POST"]) for name, get in _ENDPOINTS.items()]


def _connected(*routes: Route) -> AbstractAsyncContextManager[Client]:
    """A connection to a server with these routes, and some of every kind."""
    return connected(*routes, Route("/echo", _echo, methods=["POST"]), *_answering())


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    """Whatever they ask for, and whether they have a body (RFC 9112, 9.3.2)."""
    async with _connected() as client:
        await client.send(
            GET % b"hello"
            + _POST + b"Content-Length: 3\r\n\r\nabc"
            + _POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
            + GET % b"hello"
        )  # fmt: skip
        answers = [await client.answer() for _ in range(4)]
    assert answers == [(200, b"hello"), (200, b"abc"), (200, b"def"), (200, b"hello")]


async def test_a_body_of_unknown_length_comes_in_chunks() -> None:
    """And the connection takes the next request after it (RFC 9112, 7.1)."""
    async with _connected() as client:
        await client.send(GET % b"pieces" + GET % b"hello")
        status, headers = await client.head()
        assert (status, headers["transfer-encoding"]) == (200, "chunked")
        await client.send(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        rest = await client.rest()
    assert rest.startswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert rest.count(b"\r\n\r\nhello") == 2


async def test_a_client_of_the_last_version_gets_plain_bytes_until_the_end() -> None:
    """HTTP/1.0 has no chunks, and no connection that is kept unasked."""
    async with _connected() as client:
        await client.send(b"GET /pieces HTTP/1.0\r\n" + HOST + b"\r\n")
        status, headers = await client.head()
        assert (status, headers["connection"]) == (200, "close")
        assert await client.rest() == b"onetwo"


@pytest.mark.parametrize("request_line", [b"HEAD /hello", b"HEAD /pieces", b"GET /nothing"])
async def test_an_answer_without_a_body_has_none(request_line: bytes) -> None:
    """Whatever its headers say, the next answer follows (RFC 9110, 6.4.1)."""
    async with _connected() as client:
        await client.send(request_line + b" HTTP/1.1\r\n" + HOST + b"\r\n" + GET % b"hello")
        assert (await client.head())[0] in {200, 204}
        assert await client.answer() == (200, b"hello")


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    """Once, and only where the body is wanted (RFC 9110, 10.1.1)."""
    expects = b"Expect: 100-continue\r\nContent-Length: 6\r\n\r\n"
    async with _connected() as client:
        await client.send(_POST + expects)
        assert (await client.head())[0] == 100
        await client.send(b"abc")
        await client.send(b"def")
        assert await client.answer() == (200, b"abcdef")
        await client.send(_POST.replace(b"POST", b"PUT") + expects)
        assert (await client.answer())[0] == 405
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET /%b HTTP/1.1\r\n\r\n" % (b"x" * 40_000), 431),
        (_POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnot a size\r\n", 400),
    ],
    ids=["no request", "method", "version", "size", "body"],
)
async def test_what_is_no_request_is_answered_and_the_last_on_its_connection(sent: bytes, status: int) -> None:
    """After the answers to those before it; nothing that follows is read."""
    async with _connected() as client:
        await client.send(GET % b"hello" + sent)
        assert await client.answer() == (200, b"hello")
        refused, headers = await client.head()
        assert (refused, headers["content-length"], headers["connection"]) == (status, "0", "close")
        assert await client.rest() == b""


async def test_an_answer_that_has_begun_stays_the_only_one() -> None:
    """A request that breaks behind it gets no second one: its client would take that for a part of the first."""
    async with _connected() as client:
        await client.send(_POST.replace(b"echo", b"pieces") + b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n")
        assert (await client.head())[0] == 200
        assert await client.rest() == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_an_answer_that_breaks_off_is_not_ended() -> None:
    """The client must be able to tell it from a whole one; the server serves others."""
    async with _connected() as client:
        await client.send(GET % b"broken")
        await client.head()
        assert await client.rest() == b"3\r\none\r\n"


async def test_no_answer_follows_one_of_another_length_than_it_says() -> None:
    """It would be taken for the rest of it."""
    async with _connected() as client:
        await client.send(GET % b"wrong" + GET % b"hello")
        assert b"hello" not in await client.rest()


async def test_who_asks_for_much_at_once_does_not_hold_up_the_others() -> None:
    """Between two requests of a connection the event loop sees to what else is ready, also where none takes a turn."""
    answered = 0
    answered_before_others: list[int] = []

    async def health(_request: Request) -> Response:
        nonlocal answered
        answered += 1
        if answered == 1:
            asyncio.get_running_loop().call_soon(lambda: answered_before_others.append(answered))
        return Response()

    async with _connected(Route("/v1/health", health)) as client:
        await client.send(GET % b"v1/health" * 100)
        assert [await client.answer() for _ in range(100)] == [(200, b"")] * 100
    assert answered_before_others == [1]


async def test_nothing_more_is_received_when_the_answer_is_given() -> None:
    """Who goes on asking hears of the end (ASGI), and the connection takes the next request."""
    heard: list[str] = []

    class Curious(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            heard.extend([(await receive())["type"] for _ in range(2)])

    async def curious(_request: Request) -> Response:
        return Curious()

    async with _connected(Route("/curious", curious)) as client:
        await client.send(GET % b"curious" + GET % b"hello")
        assert [await client.answer() for _ in range(2)] == [(200, b""), (200, b"hello")]
    assert heard == ["http.disconnect"] * 2


async def test_a_header_that_is_more_than_a_line_is_not_sent() -> None:
    """What an application puts into a header cannot make another one of it."""
    async with _connected() as client:
        await client.send(GET % b"split" + GET % b"hello")
        status, headers = await client.head()
        assert (status, headers.get("x-other")) == (500, None)


async def test_a_client_that_sends_no_more_still_gets_its_answer() -> None:
    """It may close its half of the connection when it has asked."""
    async with _connected() as client:
        await client.send(GET % b"hello")
        client.writer.write_eof()
        assert await client.answer() == (200, b"hello")
        assert await client.rest() == b""


_CUT_OFF = [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc"]


@pytest.mark.parametrize("rest", [b"Content-Le", *_CUT_OFF])
async def test_a_request_that_is_not_whole_is_answered_when_no_more_comes(rest: bytes) -> None:
    """Its client may have counted wrongly, and listen still (RFC 9112, 8)."""
    async with _connected() as client:
        await client.send(GET % b"hello" + _POST + rest)
        client.writer.write_eof()
        assert await client.answer() == (200, b"hello")
        assert (await client.head())[0] == 400
        assert await client.rest() == b""


@pytest.mark.parametrize("rest", _CUT_OFF)
async def test_a_client_that_leaves_within_its_body_is_no_bug(rest: bytes) -> None:
    """Its request is given up, and nobody is told of an error in the server."""
    read = anyio.Event()

    async def read_all(request: Request) -> Response:
        try:
            return await _echo(request)
        finally:
            read.set()

    with capture_logs() as entries:
        async with _connected(Route("/read", read_all, methods=["POST"])) as client:
            await client.send(b"POST /read HTTP/1.1\r\n" + HOST + rest)
            client.writer.write_eof()
            with anyio.fail_after(10):
                await read.wait()
                await client.rest()
    assert [entry["event"] for entry in entries if entry["log_level"] != "debug"] == []
