"""Cookies: those that are given go with every request, and those that a service sets do from then on."""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import TYPE_CHECKING

import pytest

from arp_sdk import DaemonClient
from sdk.both_kinds import open_client

if TYPE_CHECKING:
    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_cookie_that_a_service_sets_is_sent_again(kind: str, service: Service) -> None:
    """As a balancer asks for, which sends a client to the same server each time. One that is changed, as it is then."""
    service.answer("GET", "/v1/health", HEALTH)
    async with open_client(kind, "Daemon", service.url, cookies={"a": "1"}) as client:
        for set_cookie in ("server=one", None, "server=two", None):
            service.headers = {} if set_cookie is None else {"Set-Cookie": set_cookie}
            await client.health()
        assert dict(client.raw_client.cookies) == {"a": "1", "server": "two"}
        client.raw_client.cookies = {"other": "2"}
        await client.health()
    told = [set(seen.headers["cookie"].split("; ")) for seen in service.seen]
    one, two = {"a=1", "server=one"}, {"a=1", "server=two"}
    assert told == [{"a=1"}, one, one, two, {"other=2"}]


def test_a_jar_of_the_callers_own_is_used_and_filled(service: Service) -> None:
    """Two clients may share one."""
    service.answer("GET", "/v1/health", HEALTH)
    service.headers = {"Set-Cookie": "server=one"}
    jar = CookieJar()
    for _ in range(2):
        with DaemonClient(service.url, httpx_args={"cookies": jar}) as client:
            client.health()
    assert [(cookie.name, cookie.value) for cookie in jar] == [("server", "one")]
    assert [seen.headers.get("cookie") for seen in service.seen] == [None, "server=one"]
