"""Who gets in."""

from __future__ import annotations

import pytest

from conformance.service import Service, read_error

_RUN = {"input": {"goal": "What is (19*23)?"}}


@pytest.mark.requirement("door.host")
@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "10.0.0.1:8082", "", "localhost.evil"])
def test_a_host_that_is_not_this_machine_is_refused(service: Service, host: str) -> None:
    """A page that makes its own name point here does not get in: not even to what needs no token."""
    service.need_loopback()
    read_error(service.http.get("/v1/health", headers={"Host": host}), 403, "host_not_allowed")
    read_error(service.http.post("/v1/runs", json=_RUN, headers={"Host": host}), 403, "host_not_allowed")


@pytest.mark.requirement("door.host")
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:80", "[::1]:8082"])
def test_a_host_that_is_this_machine_is_let_in(service: Service, host: str) -> None:
    """By name or number, with whatever port: a forwarded port has another."""
    service.need_loopback()
    assert service.http.get("/v1/health", headers={"Host": host}).status_code == 200


@pytest.mark.requirement("door.origin")
@pytest.mark.parametrize(
    "origin", ["http://example.com", "https://127.0.0.1", "http://127.0.0.1:1", "null", "http://localhost"]
)
def test_a_page_of_another_site_is_refused(service: Service, origin: str) -> None:
    """A browser's user who looks at another page starts no runs by that."""
    service.need_loopback()
    read_error(service.http.post("/v1/runs", json=_RUN, headers={"Origin": origin}), 403, "origin_not_allowed")


@pytest.mark.requirement("door.origin")
def test_a_page_of_the_service_is_let_in(service: Service) -> None:
    """A page that the service itself would serve may call it."""
    assert service.http.get("/v1/version", headers={"Origin": service.base_url}).status_code == 200


@pytest.mark.requirement("door.proxy")
@pytest.mark.parametrize(
    "header", ["Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4", "Via: 1.1 proxy"]
)
def test_what_comes_through_a_proxy_needs_a_token(service: Service, header: str) -> None:
    """Behind a proxy on this machine may be anybody."""
    service.need_loopback()
    name, _, value = header.partition(": ")
    response = service.without_token.post("/v1/runs", json=_RUN, headers={name: value})
    read_error(response, 401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")
