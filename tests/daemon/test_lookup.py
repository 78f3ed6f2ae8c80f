"""Where an endpoint leads is looked up once, checked whole, pinned, and used for every call after that."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
import httpx
import pytest

from arp_daemon.address import Address
from arp_daemon.allowed_endpoints import AllowedEndpoints, read_pattern
from arp_daemon.endpoint import read_endpoint
from arp_daemon.errors import EndpointNotAllowedError, RuntimeProbeError
from arp_daemon.lookup import ask_system, check_pinned, locate
from arp_daemon.transport import http_client, runtime_client
from arp_sdk.errors import ArpApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Listener, SocketStream

_NAME = "rt.invalid"  # no resolver knows a name that ends so
_ALLOWED = AllowedEndpoints([read_pattern(_NAME)])


class _Resolver:
    """Answers one lookup after the other, the last for ever, and counts them."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = [*answers]
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@asynccontextmanager
async def _answering(listener: Listener[SocketStream], answer: str) -> AsyncIterator[list[str]]:
    """A server that gives everybody the same answer; yields the request heads that it got."""
    heads: list[str] = []

    async def serve(stream: SocketStream) -> None:
        async with stream:
            heads.append((await stream.receive()).decode())
            await stream.send(answer.encode())

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield heads
        tasks.cancel_scope.cancel()


def _ok(body: object) -> str:
    text = json.dumps(body)
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"


_HEALTHY = _ok({"status": "ok", "time": "2026-01-01T00:00:00Z"})


async def test_a_name_is_looked_up_once_and_keeps_its_address() -> None:
    """Every later call goes to the pinned number, with the name as Host: rebinding the name changes nothing."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    resolve = _Resolver(["127.0.0.1"], ["127.66.66.66"])
    (address,) = await locate(read_endpoint(f"http://{_NAME}:{port}", "$"), _ALLOWED, resolve)
    async with _answering(listener, _HEALTHY) as heads:
        for _ in range(2):
            async with runtime_client(address) as client:
                assert (await client.health()).status.value == "ok"
        async with http_client(address) as raw:
            assert (await raw.get("/v1/health")).is_success
    assert resolve.asked == [_NAME]
    assert [f"host: {_NAME}:{port}" in head.lower() for head in heads] == [True] * 3


@pytest.mark.parametrize("bad", ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0"])
async def test_one_bad_number_among_many_refuses_the_name(bad: str) -> None:
    """Whatever the order, and before anything is called."""
    for answer in (["127.0.0.1", bad], [bad, "127.0.0.1"]):
        with pytest.raises(EndpointNotAllowedError, match="never called"):
            await locate(read_endpoint(f"http://{_NAME}:1", "$"), _ALLOWED, _Resolver(answer))


async def test_a_name_that_cannot_be_allowed_is_not_looked_up() -> None:
    """Nobody learns from a lookup that somebody asked for it."""
    resolve = _Resolver(["127.0.0.1"])
    with pytest.raises(EndpointNotAllowedError):
        await locate(read_endpoint("http://other.invalid:1", "$"), _ALLOWED, resolve)
    assert resolve.asked == []


async def test_a_name_that_leads_nowhere_is_told_so() -> None:
    """As a runtime that does not answer."""

    async def fail(_host: str) -> list[str]:
        raise OSError(-2, "Name or service not known")

    for resolve in (fail, _Resolver([])):
        with pytest.raises(RuntimeProbeError, match=_NAME):
            await locate(read_endpoint(f"http://{_NAME}:1", "$"), _ALLOWED, resolve)


async def test_the_system_knows_this_machine() -> None:
    """`localhost` leads to loopback numbers, each told once."""
    numbers = await ask_system("localhost")
    assert set(numbers) <= {"127.0.0.1", "::1"}
    assert len(numbers) == len(set(numbers)) > 0


async def test_an_address_that_is_no_longer_allowed_is_refused() -> None:
    """As after a restart with fewer patterns; this machine stays allowed."""
    address = Address(f"http://{_NAME}:1", ip="10.0.0.1")
    check_pinned(address, _ALLOWED)
    with pytest.raises(EndpointNotAllowedError):
        check_pinned(address, AllowedEndpoints())
    check_pinned(Address("http://127.0.0.1:1", ip="127.0.0.1"), AllowedEndpoints())
    with pytest.raises(EndpointNotAllowedError):
        check_pinned(Address("http://127.0.0.1:1"), AllowedEndpoints())


async def test_a_redirect_is_not_followed() -> None:
    """The answer is what it is: no runtime's."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    away = "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with _answering(listener, away) as heads:
        async with runtime_client(Address(f"http://127.0.0.1:{port}")) as client:
            with pytest.raises(ArpApiError):
                await client.health()
        async with http_client(Address(f"http://127.0.0.1:{port}")) as raw:
            assert (await raw.get("/v1/events")).status_code == httpx.codes.TEMPORARY_REDIRECT
    assert len(heads) == 2


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traffic goes to the address, and through nobody else's hands."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with (
        _answering(listener, _HEALTHY),
        runtime_client(Address(f"http://{_NAME}:{port}", ip="127.0.0.1")) as client,
    ):
        assert (await client.health()).status.value == "ok"


async def test_an_instance_may_be_reached_by_a_unix_socket(tmp_path: Path) -> None:
    """The same clients, with a path in place of a number."""
    address = Address("http://localhost", uds=str(tmp_path / "s"))
    assert address.endpoint == f"http+unix://{quote(str(address.uds), safe='')}"
    listener = await anyio.create_unix_listener(str(address.uds))
    async with _answering(listener, _HEALTHY) as heads, runtime_client(address) as client:
        assert (await client.health()).status.value == "ok"
    assert "host: localhost" in heads[0].lower()
