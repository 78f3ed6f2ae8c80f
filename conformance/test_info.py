"""Health and version."""

from __future__ import annotations

import pytest
from conformance.service import Service, read


@pytest.mark.requirement("health.answer")
def test_health_is_a_health(service: Service) -> None:
    """A service that works says so."""
    assert read(service.http.get("/v1/health"), "common/health")["status"] == "ok"


@pytest.mark.requirement("version.answer")
def test_version_lists_v1(service: Service) -> None:
    """A client finds out that it can speak v1 here."""
    version = read(service.http.get("/v1/version"), "common/version_info")
    assert "v1" in version["supported_api_versions"]


@pytest.mark.requirement("version.features")
@pytest.mark.parametrize(
    ("kind", "features"),
    [
        ("runtime", {"runs.batch", "events", "run.events", "run.events.ndjson", "run.trace", "run.cancel"}),
        ("daemon", {"run.events", "run.events.ndjson", "run.events.on_disconnect", "run.cancel"}),
        ("daemon", {"runs.batch", "runs.filter", "runs.cancel", "runs.idempotency_key"}),
    ],
)
def test_additions_are_announced(kind: str, features: set[str], request: pytest.FixtureRequest) -> None:
    """A client that knows our additions finds out whether they are here."""
    service: Service = request.getfixturevalue(kind)
    version = read(service.http.get("/v1/version"), "common/version_info")
    assert set(version["extensions"]["arp.features"]) >= features
