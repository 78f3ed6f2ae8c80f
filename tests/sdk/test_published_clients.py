"""`arp_sdk.clients`: settings of a connection as 0.1.0 has them, given to a client of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from arp_sdk import AsyncDaemonClient, DaemonClient, clients
from arp_sdk.errors import ArpResponseError

if TYPE_CHECKING:
    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
STATUS = {"run_id": "r1", "state": "queued"}


@pytest.fixture(autouse=True)
def _healthy(service: Service) -> None:
    service.answer("GET", "/v1/health", HEALTH)


async def test_settings_are_taken_as_client(service: Service) -> None:
    """By both kinds of client; the token goes with every request, as its prefix and header say."""
    for settings in (
        clients.DaemonAuthenticatedClient(service.url, "t"),
        clients.DaemonAuthenticatedClient(service.url, "t", prefix="", auth_header_name="X-Token"),
    ):
        with settings:
            DaemonClient(client=settings).health()
        async with settings:
            await AsyncDaemonClient(client=settings).health()
        assert settings.get_httpx_client().is_closed
        assert settings.get_async_httpx_client().is_closed
    assert [seen.headers.get("authorization") for seen in service.seen] == ["Bearer t"] * 2 + [None] * 2
    assert [seen.headers.get("x-token") for seen in service.seen] == [None] * 2 + ["t"] * 2


def test_settings_are_added_to_a_copy(service: Service) -> None:
    """`with_...` leaves the one that it is called on as it was."""
    plain = clients.RuntimeClient(service.url, headers={"A": "1"})
    more = plain.with_headers({"B": "2"}).with_cookies({"c": "3"}).with_timeout(httpx.Timeout(7))
    assert isinstance(more, clients.RuntimeClient)
    with plain, more:
        for settings in (plain, more):
            settings.get_httpx_client().get("/v1/health")
        assert more.get_httpx_client().timeout == httpx.Timeout(7)
    told = [[seen.headers.get(name) for name in ("a", "b", "cookie")] for seen in service.seen]
    assert told == [["1", None, None], ["1", "2", "c=3"]]


def test_a_token_stays_in_the_copy_and_out_of_sight(service: Service) -> None:
    """It does not show where settings are printed."""
    settings = clients.ToolRegistryAuthenticatedClient(service.url, "s3cret").with_headers({"A": "1"})
    with settings:
        settings.get_httpx_client().get("/v1/health")
    assert service.seen[0].headers["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(settings)


async def test_an_httpx_client_of_ones_own_can_be_set(service: Service) -> None:
    """It is used as it is."""
    with httpx.Client(base_url=service.url, headers={"X-Mine": "1"}) as mine:
        DaemonClient(client=clients.DaemonClient("http://127.0.0.1:1").set_httpx_client(mine)).health()
    async with httpx.AsyncClient(base_url=service.url, headers={"X-Mine": "2"}) as mine_too:
        settings = clients.DaemonClient("http://127.0.0.1:1").set_async_httpx_client(mine_too)
        await AsyncDaemonClient(client=settings).health()
    assert [seen.headers["x-mine"] for seen in service.seen] == ["1", "2"]


def test_what_is_unexpected_is_refused_as_the_settings_say(service: Service) -> None:
    """`raise_on_unexpected_status` of the settings counts as well."""
    service.answer("GET", "/v1/runs/r1", STATUS, status=203)
    strict = clients.DaemonClient(service.url, raise_on_unexpected_status=True)
    with strict as settings, pytest.raises(ArpResponseError):
        DaemonClient(client=settings).get_run_status("r1")
