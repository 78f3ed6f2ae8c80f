"""How clients are made and closed, and where their requests go."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from arp_sdk import DaemonClient
from arp_sdk._http import client_options, is_loopback

if TYPE_CHECKING:
    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}


def test_headers_and_cookies_go_with_every_request(service: Service) -> None:
    """A token is given as a header; the client names itself."""
    service.answer("GET", "/v1/health", HEALTH)
    headers = {"Authorization": "Bearer t"}
    with DaemonClient(base_url=service.url, headers=headers, cookies={"a": "b"}) as client:
        client.health()
    [seen] = service.seen
    assert (seen.headers["authorization"], seen.headers["cookie"]) == ("Bearer t", "a=b")
    assert seen.headers["user-agent"].startswith("arp-standard-py/")


def test_parameters_of_httpx_go_with_every_request(service: Service) -> None:
    """Beside those of the call, which stay."""
    service.answer("GET", "/v1/runs", {"runs": []})
    with DaemonClient(service.url, httpx_args={"params": {"tenant": "a"}}) as client:
        client.list_runs(page_size=5)
    assert service.seen[0].query == {"tenant": "a", "page_size": "5"}


def test_an_address_may_have_a_path_and_a_slash_at_the_end(service: Service) -> None:
    """A service behind a prefix is reached with and without the slash."""
    service.answer("GET", "/arp/v1/health", HEALTH)
    for base_url in (f"{service.url}/arp", f"{service.url}/arp/"):
        with DaemonClient(base_url) as client:
            assert client.health().status == "ok"


@pytest.mark.parametrize(
    "base_url", [None, "", "127.0.0.1:8082", "ftp://host", "http://", "unix:///run/x", "http://[::1"]
)
def test_an_address_that_is_none_is_refused_at_once(base_url: str | None) -> None:
    """A client without a usable address is never made."""
    with pytest.raises(ValueError, match="base_url"):
        DaemonClient(base_url)


def test_an_address_and_a_client_at_once_are_refused(service: Service) -> None:
    """Which of two addresses is meant is not guessed."""
    with httpx.Client(base_url=service.url) as mine, pytest.raises(ValueError, match="either"):
        DaemonClient(service.url, client=mine)


def test_a_client_of_the_callers_own_is_used_and_left_open(service: Service) -> None:
    """Whoever made the httpx client closes it."""
    service.answer("GET", "/v1/health", HEALTH)
    with httpx.Client(base_url=service.url, headers={"X-Mine": "1"}) as mine:
        with DaemonClient(client=mine) as client:
            assert client.raw_client is mine
            client.health()
        assert not mine.is_closed
    assert service.seen[0].headers["x-mine"] == "1"


def test_calls_are_bounded_in_time_unless_told_otherwise(service: Service) -> None:
    """The default is 30 seconds, and any other, in seconds or as httpx has it, is taken."""
    with DaemonClient(service.url) as client:
        assert client.raw_client.timeout == httpx.Timeout(30, connect=5)
    with DaemonClient(service.url, timeout=3) as client:
        assert client.raw_client.timeout == httpx.Timeout(3)
    with DaemonClient(service.url, timeout=httpx.Timeout(None)) as client:
        assert client.raw_client.timeout == httpx.Timeout(None)


def test_httpx_args_have_the_last_word(service: Service) -> None:
    """What httpx can do and the client does not name goes through `httpx_args`."""
    with DaemonClient(service.url, timeout=3, httpx_args={"timeout": 4, "max_redirects": 1}) as client:
        assert client.raw_client.timeout == httpx.Timeout(4)
        assert client.raw_client.max_redirects == 1


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon on loopback is reached directly, whatever `http_proxy` says; `httpx_args` can ask for the proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"{service.url}/proxy")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    service.answer("GET", "/v1/health", HEALTH)
    with DaemonClient(service.url) as client:
        assert client.health().status == "ok"
    # A proxy is asked with the whole address for a path.
    service.answer("GET", "http://127.0.0.1:9/v1/health", HEALTH)
    for name, value in {"mounts": {}, "proxy": service.url}.items():
        with DaemonClient("http://127.0.0.1:9", httpx_args={name: value}) as client:
            assert client.health().status == "ok"
        assert service.seen[-1].headers["host"] == "127.0.0.1:9"


@pytest.mark.parametrize(
    ("base_url", "options", "verifies"),
    [
        ("http://127.0.0.1:8082", {}, False),
        ("https://127.0.0.1:8082", {}, True),
        ("http://127.0.0.1:8082", {"follow_redirects": True}, True),
        ("http://127.0.0.1:8082", {"httpx_args": {"follow_redirects": True}}, True),
        ("http://127.0.0.1:8082", {"httpx_args": {"verify": "mine"}}, "mine"),
    ],
)
def test_authorities_are_loaded_where_tls_may_be_spoken(base_url: str, options: dict[str, Any], verifies: Any) -> None:
    """To load them takes longer than all else; a client that cannot come to need them trusts nobody instead."""
    given: dict[str, Any] = {"timeout": None, "headers": None, "cookies": None, "verify_ssl": True}
    made = client_options(base_url, **{**given, "follow_redirects": False, "httpx_args": None, **options})["verify"]
    if verifies is False:
        assert made.verify_mode is ssl.CERT_REQUIRED
        assert made.cert_store_stats()["x509_ca"] == 0
    else:
        assert made == verifies


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("0.0.0.0", False),  # an address, nothing is bound
        ("", False),
    ],
)
def test_this_machine_is_known_by_name_and_address(host: str, here: bool) -> None:
    """Only `localhost` and loopback addresses are this machine for certain."""
    assert is_loopback(host) is here
