"""Who gets in where a token is in force, over real sockets."""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from starlette.datastructures import Headers
from starlette.routing import Route

from arp_model import HealthChecksItem, Status
from arp_service.admission import OwnUserOnly, TokenHolders
from arp_service.application import create_app
from arp_service.door import check_host, read_host
from arp_service.errors import ServiceError, UnauthorizedError
from arp_service.info import ServiceInfo, info_routes
from arp_service.peer import PeerLookup, own_uid
from arp_service.responses import StructResponse
from arp_service.token_file import open_token_file
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

_ASK_AS_NOBODY = """
import encodings.idna, http.client, os, sys  # what the stranger may be unable to read is loaded first
os.setuid(65534)
for path in sys.argv[3:]:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    connection.request("GET", path, headers={"Authorization": sys.argv[2]} if sys.argv[2] else {})
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
"""
_only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


async def _list(_request: Request) -> Response:
    return StructResponse([])


async def _checks() -> list[HealthChecksItem]:
    return [HealthChecksItem(name="store", status=Status.DEGRADED, message="what only friends are told")]


@asynccontextmanager
async def _service(folder: Path, *, own_user: bool = True, hosts: tuple[str, ...] = ()) -> AsyncIterator[_Client]:
    token_file = open_token_file(folder / "token")
    info = ServiceInfo("x", "arp-service", ("a.feature",), {"arp.nonce": "what only friends are told"})
    routes = [Route("/v1/runs", _list), *info_routes(info, _checks)]
    with PeerLookup() as lookup:
        admit = TokenHolders(token_file, OwnUserOnly(lookup, own_uid()) if own_user else None)
        async with served(create_app(routes, admit, allowed_hosts=hosts)) as http:
            yield _Client(http, token_file.path.read_text().strip())


class _Client:
    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self.http, self.token = http, token

    async def ask(self, path: str = "/v1/runs", authorization: str | None = None, **headers: str) -> httpx.Response:
        shown = {} if authorization is None else {"Authorization": authorization.format(token=self.token)}
        return await self.http.get(path, headers={**shown, **headers})

    async def ask_as_nobody(self, *paths: str, authorization: str = "") -> list[tuple[int, Any]]:
        """The statuses and bodies that another user of this machine gets."""
        shown = authorization.format(token=self.token)
        command = [sys.executable, "-c", _ASK_AS_NOBODY, str(self.http.base_url.port), shown, *paths]
        lines = (await anyio.run_process(command)).stdout.decode().splitlines()
        return [(int(status), json.loads(body)) for status, _, body in (line.partition(" ") for line in lines)]


def _refused(response: httpx.Response, code: str) -> bool:
    return (response.status_code, response.json()["error"]["code"]) == (401, code)


async def test_the_own_user_needs_no_token_and_may_show_it(tmp_path: Path) -> None:
    """The word Bearer is written as one likes (RFC 9110, 11.1)."""
    async with _service(tmp_path) as client:
        for authorization in (None, "Bearer {token}", "bearer {token}", "BEARER  {token}"):
            assert (await client.ask(authorization=authorization)).status_code == 200


@pytest.mark.parametrize("shown", ["Bearer wrong", "Bearer", "", "{token}", "Basic {token}", "Bearer {token}x"])
async def test_a_wrong_token_is_refused_whoever_shows_it(tmp_path: Path, shown: str) -> None:
    """401 with the reason that RFC 6750 names, also for the own user: who shows a token wants to be known by it."""
    async with _service(tmp_path) as client:
        response = await client.ask(authorization=shown)
        assert _refused(response, "invalid_token")
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert client.token not in response.text


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
async def test_who_comes_through_a_proxy_needs_the_token(tmp_path: Path, header: str) -> None:
    """And gets in with it."""
    async with _service(tmp_path) as client:
        without = await client.ask(**{header: "for=192.0.2.1"})
        assert _refused(without, "unauthorized")
        assert without.headers["www-authenticate"] == "Bearer"
        assert (await client.ask(authorization="Bearer {token}", **{header: "for=192.0.2.1"})).status_code == 200


@_only_root
async def test_another_user_needs_the_token(tmp_path: Path) -> None:
    """401 for a process of user `nobody` without it, or with a wrong one; with it, it gets in."""
    async with _service(tmp_path) as client:
        ((status, body),) = await client.ask_as_nobody("/v1/runs")
        assert (status, body["error"]["code"]) == (401, "unauthorized")
        ((status, body),) = await client.ask_as_nobody("/v1/runs", authorization="Bearer wrong")
        assert (status, body["error"]["code"]) == (401, "invalid_token")
        assert await client.ask_as_nobody("/v1/runs", authorization="Bearer {token}") == [(200, [])]


@_only_root
async def test_strangers_are_told_that_it_lives_and_no_more(tmp_path: Path) -> None:
    """The standard has health and version told without a token; what is this process's own is for those who get in."""
    async with _service(tmp_path) as client:
        (health, version) = await client.ask_as_nobody("/v1/health", "/v1/version")
        assert "friends" not in str((health, version))
        assert (health[0], health[1]["status"], version[0]) == (200, "degraded", 200)
        assert version[1]["extensions"] == {"arp.features": ["a.feature"]}
        for path in ("/v1/health", "/v1/version"):
            for authorization in (None, "Bearer {token}"):
                assert "friends" in (await client.ask(path, authorization)).text


async def test_where_nobody_tells_whose_a_connection_is_everybody_needs_the_token(tmp_path: Path) -> None:
    """The own user as well; it reads it in the file."""
    async with _service(tmp_path, own_user=False) as client:
        assert _refused(await client.ask(), "unauthorized")
        assert (await client.ask(authorization="Bearer {token}")).status_code == 200


class _Everybody(OwnUserOnly):
    """Takes everybody for the own user."""

    def __call__(self, scope: Scope, headers: Headers) -> None:
        """See `Admission`."""


def test_beyond_loopback_even_the_own_user_needs_the_token(tmp_path: Path) -> None:
    """Whoever the kernel says it is."""
    with PeerLookup() as lookup:
        admit = TokenHolders(open_token_file(tmp_path / "token"), _Everybody(lookup))
        admit({"path": "/v1/runs", "client": ("127.0.0.2", 1)}, Headers())
        for client in (("192.0.2.1", 1), ("::ffff:192.0.2.1", 1), ("fe80::1%1", 1), None):
            with pytest.raises(UnauthorizedError):
                admit({"path": "/v1/runs", "client": client}, Headers())


async def test_hosts_that_the_operator_names_are_this_machine(tmp_path: Path) -> None:
    """With any port. No other one is, and the token makes no difference: it is no page's to send."""
    names = tuple(map(read_host, ("ARP.Example.", "192.0.2.7", "2001:db8::7")))
    async with _service(tmp_path, hosts=names) as client:
        for host in ("arp.example", "arp.example:8082", "Arp.Example.", "192.0.2.7", "[2001:db8::7]:1", "localhost"):
            assert (await client.ask(authorization="Bearer {token}", Host=host)).status_code == 200
        for host in ("example", "x.arp.example", "192.0.2.8", "[2001:db8::8]"):
            refused = await client.ask(authorization="Bearer {token}", Host=host)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "host_not_allowed")


async def test_a_page_that_a_proxy_serves_from_the_same_host_may_call(tmp_path: Path) -> None:
    """Over TLS, which the proxy ends; a page of another host may not."""
    async with _service(tmp_path, hosts=("arp.example",)) as client:
        through = {"Host": "arp.example", "Via": "1.1 proxy", "authorization": "Bearer {token}"}
        assert (await client.ask(**through, Origin="https://arp.example")).status_code == 200
        for origin in ("https://arp.example:8443", "https://evil.example", "https://arp.example.evil.example"):
            assert (await client.ask(**through, Origin=origin)).status_code == 403


@pytest.mark.parametrize(
    ("host", "server", "allowed"),
    [
        ("192.0.2.7:8082", "192.0.2.7", True),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("[2001:DB8::7]", "2001:db8::7", True),
        ("192.0.2.8", "192.0.2.7", False),
        ("example", "192.0.2.7", False),
    ],
)
def test_the_number_that_is_called_is_this_machine(host: str, server: str, allowed: bool) -> None:
    """A page cannot have it for its name, so there is nothing that it could rebind."""
    headers = Headers({"host": host})
    if allowed:
        check_host(headers, {"server": (server, 8082)})
    else:
        with pytest.raises(ServiceError):
            check_host(headers, {"server": (server, 8082)})


@pytest.mark.parametrize(
    "given", ["", "http://arp.example", "arp.example:8082", "arp.example/x", "[::1]", "*", "a b", "u@h"]
)
def test_a_host_to_be_allowed_is_a_name_or_a_number(given: str) -> None:
    """What no Host header could be would allow nothing, without a word."""
    with pytest.raises(ValueError, match="without scheme and port"):
        read_host(given)
