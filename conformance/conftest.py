"""What is judged: the services at the URLs given, or our own, started for the occasion."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from conformance.goals import not_applicable
from conformance.operations import KINDS
from conformance.plugin import OURS, SERVICES
from conformance.programs import serving
from conformance.service import Json, Service, new_id, read

if TYPE_CHECKING:
    from collections.abc import Iterator


class MakeProfile(Protocol):
    """Puts a profile with this body; returns its name."""

    def __call__(self, **body: Any) -> str: ...


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a Unix socket must fit into 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="arp-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest, folder: Path) -> Iterator[Service]:
    """The runtime that is judged, or that helps to judge a daemon."""
    with _judged(request, "runtime", folder) as service:
        yield service


@pytest.fixture(scope="session")
def daemon(request: pytest.FixtureRequest, folder: Path) -> Iterator[Service]:
    """The daemon that is judged."""
    with _judged(request, "daemon", folder, "--data-dir", str(folder / "data")) as service:
        profile = request.config.getoption("--runtime-profile")
        if profile:
            service.selector = {"runtime_profile": profile}
        elif not service.features and request.config.getoption("--helper-runtime-url"):
            service.selector = {"instance_id": _register(service, request.getfixturevalue("runtime"))}
        yield service
        if "instance_id" in service.selector:
            service.http.delete(f"/v1/instances/{service.selector['instance_id']}")


@pytest.fixture(scope="session")
def tool_registry(request: pytest.FixtureRequest, folder: Path) -> Iterator[Service]:
    """The tool registry that is judged."""
    with _judged(request, "tool-registry", folder) as service:
        yield service


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Service:
    """Each kind that is judged, one after the other: what is asked of all."""
    found: Service = request.getfixturevalue(request.param.replace("-", "_"))
    return found


@pytest.fixture
def make_profile(daemon: Service) -> Iterator[MakeProfile]:
    """Puts a new profile and returns its name; at the end it is gone, and what was launched from it."""
    daemon.need_arp_exec()
    names: list[str] = []

    def make(**body: Any) -> str:
        names.append(new_id("profile"))
        read(
            daemon.http.put(f"/v1/admin/runtime-profiles/{names[-1]}", json=body),
            "daemon/runtime_profiles/runtime_profile",
        )
        return names[-1]

    yield make
    for instance in daemon.http.get("/v1/instances").json()["instances"]:
        if instance.get("runtime_profile") in names:
            daemon.http.delete(f"/v1/instances/{instance['instance_id']}")
    for name in names:
        daemon.http.delete(f"/v1/admin/runtime-profiles/{name}")


@contextmanager
def _judged(request: pytest.FixtureRequest, kind: str, folder: Path, *options: str) -> Iterator[Service]:
    option = request.config.getoption
    given: str | None = option(f"--{kind}-url") or (kind == "runtime" and option("--helper-runtime-url")) or None
    if not given and (kind not in OURS or any(option(f"--{other}-url") for other in KINDS)):
        not_applicable(f"needs a {kind} that the service can reach: name one with --runtime-url")
    log = folder / f"{kind}.log"
    with nullcontext(given) if given else serving(f"arp-{kind}", log, *options) as url:
        token = option("--token") or os.environ.get("ARP_TOKEN")
        service = Service(kind, url, token if option(f"--{kind}-url") else None)
        service.run_timeout_s = option("--run-timeout")
        request.config.stash[SERVICES][kind] = service
        service.choose_goals(option("--goal"), option("--long-goal"), option("--failing-goal"))
        try:
            yield service
        finally:
            service.close()


def _register(daemon: Service, runtime: Service) -> str:
    response = daemon.http.post("/v1/instances:register", json={"runtime_api_endpoint": runtime.base_url})
    answer: Json = read(response, "daemon/instances/instance_register_response")
    return str(answer["instance"]["instance_id"])
