"""A service's app over a real socket: the door, bodies, and every error an ErrorEnvelope."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio.to_thread
import pytest
from starlette.routing import Route

from arp_model import ErrorEnvelope, RunRequest
from arp_service.admission import OwnUserOnly
from arp_service.application import create_app
from arp_service.body import read_struct
from arp_service.peer import PeerLookup, own_uid
from arp_service.responses import StructResponse
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from starlette.requests import Request
    from starlette.responses import Response

_JSON = {"Content-Type": "application/json"}
_LIMIT = 1000


async def _echo(request: Request) -> Response:
    return StructResponse(await read_struct(request, RunRequest, max_bytes=_LIMIT))


async def _bug(_request: Request) -> Response:
    raise RuntimeError("the password is swordfish")


async def _list(_request: Request) -> Response:
    return StructResponse([])


@asynccontextmanager
async def _service() -> AsyncIterator[httpx.AsyncClient]:
    lookup = PeerLookup()
    routes = [Route("/v1/runs", _echo, methods=["POST"]), Route("/v1/runs", _list), Route("/v1/bug", _bug)]
    try:
        async with served(create_app(routes, OwnUserOnly(lookup, own_uid()))) as client:
            yield client
    finally:
        lookup.close()


def _code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    return response.status_code, ErrorEnvelope.from_json(response.content).error.code


async def test_a_sound_request_comes_through() -> None:
    """Decoded strictly, and encoded as it came."""
    async with _service() as client:
        response = await client.post("/v1/runs", json={"input": {"goal": "x"}})
        assert response.json() == {"input": {"goal": "x"}}


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (b"", "invalid_json", ""),
        (b"{", "invalid_json", ""),
        (b"\xff", "invalid_json", ""),
        (b"[" * 200 + b"]" * 200, "invalid_request", ""),
        (b"[" * 300 + b"]" * 300, "invalid_json", "nests"),
        (b'{"input":{"goal":"x","data":{"a":' + b"[" * 250 + b"]" * 250 + b"}}}", None, ""),
        (b"{}", "invalid_request", "input"),
        (b'{"input":{"goal":1}}', "invalid_request", "$.input.goal"),
        (b'{"input":{"goal":"x"},"more":1}', "invalid_request", "more"),
        (b'{"input":{"goal":"x"},"limits":{"max_steps":0}}', "invalid_request", "$.limits.max_steps"),
        (b'{"input":{"goal":"x"},"extensions":{"nodot":1}}', "invalid_request", "$.extensions"),
        (b'{"input":{"goal":"x","context":null}}', "invalid_request", "$.input.context"),
    ],
)
async def test_a_body_that_breaks_the_contract_is_refused_by_place(body: bytes, code: str | None, place: str) -> None:
    """400 with the place in the message; deep but sound JSON passes."""
    async with _service() as client:
        response = await client.post("/v1/runs", content=body, headers=_JSON)
        if code is None:
            assert response.status_code == 200
            return
        assert _code(response) == (400, code)
        assert place in response.json()["error"]["message"]


async def test_json_that_nests_too_deep_is_no_crash() -> None:
    """A hundred thousand brackets are a 400, or over the limit a 413."""
    async with _service() as client:
        deep = b'{"input":{"goal":"x","data":{"a":' + b"[" * 300 + b"]" * 300 + b"}}}"
        assert _code(await client.post("/v1/runs", content=deep, headers=_JSON)) == (400, "invalid_json")
        assert _code(await client.post("/v1/runs", content=b"[" * 100_000, headers=_JSON)) == (413, "body_too_large")


async def test_a_body_over_the_limit_is_refused_declared_or_not() -> None:
    """413, by its Content-Length or while it streams in."""
    async with _service() as client:

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * 100

        declared = await client.post("/v1/runs", content=b" " * (_LIMIT + 1), headers=_JSON)
        assert _code(declared) == (413, "body_too_large")
        assert _code(await client.post("/v1/runs", content=chunks(), headers=_JSON)) == (413, "body_too_large")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_a_form_could_send_is_refused(media_type: str) -> None:
    """415 for anything but application/json: no cross-site form reaches a handler."""
    async with _service() as client:
        headers = {"Content-Type": media_type} if media_type else {}
        response = await client.post("/v1/runs", content=b'{"input":{"goal":"x"}}', headers=headers)
        assert _code(response) == (415, "unsupported_media_type")


async def test_unknown_paths_and_wrong_methods_are_envelopes() -> None:
    """404 and 405; the latter says which methods there are, of all routes of the path."""
    async with _service() as client:
        assert _code(await client.get("/nowhere")) == (404, "not_found")
        assert _code(await client.get("/v1/runs/")) == (404, "not_found")
        wrong = await client.delete("/v1/runs")
        assert _code(wrong) == (405, "method_not_allowed")
        assert wrong.headers["allow"] == "GET, HEAD, POST"


async def test_a_bug_is_a_500_that_says_nothing_of_the_inside() -> None:
    """The log has the traceback; the answer does not."""
    async with _service() as client:
        response = await client.get("/v1/bug")
        assert _code(response) == (500, "internal_error")
        assert "swordfish" not in response.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::1", "localhost:x:y"])
async def test_a_host_that_is_not_this_machine_is_refused(host: str) -> None:
    """A page that rebinds its name to loopback brings its own name along."""
    async with _service() as client:
        assert _code(await client.get("/v1/runs", headers={"Host": host})) == (403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8082", "127.9.9.9"])
async def test_every_name_of_loopback_is_a_host(host: str) -> None:
    """The port does not matter: a forwarded port is still this machine."""
    async with _service() as client:
        assert (await client.get("/v1/runs", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://localhost:1", ""])
async def test_pages_of_other_origins_are_refused(origin: str) -> None:
    """Only a page that this service served itself may call it."""
    async with _service() as client:
        assert _code(await client.get("/v1/runs", headers={"Origin": origin})) == (403, "origin_not_allowed")
        own = str(client.base_url).rstrip("/")
        assert (await client.get("/v1/runs", headers={"Origin": own})).status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
async def test_what_comes_through_a_proxy_needs_a_token(header: str) -> None:
    """Anybody may stand behind a proxy that runs as the own user."""
    async with _service() as client:
        response = await client.get("/v1/runs", headers={header: "for=1.2.3.4"})
        assert _code(response) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"


_ASK_AS = """
import encodings.idna, http.client, os, sys
os.setuid(65534)
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
connection.request("GET", "/v1/runs")
answer = connection.getresponse()
print(answer.status, answer.read().decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
async def test_another_user_of_this_machine_is_refused() -> None:
    """403 for a process of user `nobody`."""
    async with _service() as client:
        command = [sys.executable, "-c", _ASK_AS, str(client.base_url.port)]
        done = await anyio.run_process(command, check=False)
        status, _, body = done.stdout.decode().partition(" ")
        assert (status, json.loads(body)["error"]["code"]) == ("403", "forbidden"), done.stderr
