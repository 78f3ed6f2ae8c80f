"""Health and version, and what an error looks like: what can be asked of any service without changing anything."""

from __future__ import annotations

import pytest

from conformance.goals import not_applicable
from conformance.judgement import NotMetError
from conformance.service import Service, new_id, read

_FEATURES = {
    "runtime": {"runs.batch", "events", "run.events", "run.events.ndjson", "run.trace", "run.cancel"},
    "daemon": {
        *("run.events", "run.events.ndjson", "run.events.on_disconnect", "run.cancel"),
        *("runs.batch", "runs.filter", "runs.cancel", "runs.idempotency_key"),
    },
}
# The programs that have to have them.
_OURS = {"arp-runtime", "arp-daemon"}
_NO_REQUEST = "request.missing_field"
# A thing of which there is none with a new id, and a path that the standard protects.
_THINGS = {"runtime": "/v1/runs/", "daemon": "/v1/runs/", "tool-registry": "/v1/tools/"}


@pytest.mark.requirement("health.answer")
def test_health_is_a_health(service: Service) -> None:
    """A service that works says so."""
    assert read(service.http.get("/v1/health"), "common/health")["status"] == "ok"


@pytest.mark.requirement("version.answer")
def test_version_lists_v1(service: Service) -> None:
    """A client finds out that it can speak v1 here."""
    version = read(service.http.get("/v1/version"), "common/version_info")
    assert "v1" in version["supported_api_versions"]


@pytest.mark.requirement("errors.envelope")
def test_what_is_not_there_is_an_error_envelope(service: Service) -> None:
    """A thing that does not exist is told as an error. (The contract looks at its body, as at that of every error.)"""
    response = service.http.get(_THINGS[service.kind] + new_id("nothing"))
    if response.is_success:
        raise NotMetError(f"what does not exist is an error, not {response.status_code}")


@pytest.mark.requirement("errors.envelope")
@pytest.mark.parametrize(
    ("body", "media_type"),
    [(b"{", "application/json"), (b"", "application/json"), (b"\xff", "application/json"), (b"{}", "text/plain")],
)
def test_a_body_that_is_no_request_is_an_error_envelope(service: Service, body: bytes, media_type: str) -> None:
    """It may be refused for whatever reason, but not be taken, which none of these can be."""
    path = "/v1/tool-invocations" if service.kind == "tool-registry" else "/v1/runs"
    response = service.http.post(path, content=body, headers={"Content-Type": media_type})
    if response.is_success:
        raise NotMetError(f"what is no request is refused, not answered with {response.status_code}", _NO_REQUEST)


@pytest.mark.requirement("auth.open")
@pytest.mark.parametrize("path", ["/v1/health", "/v1/version"])
def test_health_and_version_need_no_token(service: Service, path: str) -> None:
    """Whoever watches a service needs no token of it."""
    response = service.without_token.get(path)
    if not response.is_success:
        raise NotMetError(f"{path} is told without a token, not refused with {response.status_code}")


@pytest.mark.requirement("auth.challenge")
def test_who_has_no_token_is_told_what_is_asked_for(service: Service) -> None:
    """Where a token is needed: by anybody, or by who comes through a proxy. (The contract sees to what a 401 has.)"""
    for headers in ({}, {"X-Forwarded-For": "192.0.2.1"}):
        path = _THINGS[service.kind] + new_id("nothing")
        if service.without_token.get(path, headers=headers).status_code in {401, 403}:
            return
    not_applicable("the service asks for no token")


@pytest.mark.requirement("version.features")
def test_additions_are_announced(service: Service) -> None:
    """A client that knows our additions finds out whether they are here."""
    if not service.features and service.version.get("service_name") not in _OURS:
        not_applicable("the service announces no additions")
    read(service.http.get("/v1/version"), "common/version_info")  # anew, so that a failure shows it
    missing = _FEATURES[service.kind] - service.features
    assert not missing, f'`extensions["arp.features"]` lacks {sorted(missing)}'
