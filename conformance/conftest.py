"""What is judged: the services at the URLs given, or our own, started for the occasion."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from conformance.programs import serving
from conformance.service import Service, new_id, read

if TYPE_CHECKING:
    from collections.abc import Iterator


class MakeProfile(Protocol):
    """Puts a profile with this body; returns its name."""

    def __call__(self, **body: Any) -> str: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """The URLs of services that run already, and how much is made up for them."""
    for kind in ("runtime", "daemon"):
        parser.addoption(f"--{kind}-url", help=f"base URL of the {kind} to judge; without it, ours is started")
    parser.addoption("--max-examples", type=int, default=50, help="cases that Schemathesis makes up an operation")


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a Unix socket must fit into 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="arp-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest, folder: Path) -> Iterator[Service]:
    """The runtime that is judged."""
    with _judged(request, "runtime", folder) as service:
        yield service


@pytest.fixture(scope="session")
def daemon(request: pytest.FixtureRequest, folder: Path) -> Iterator[Service]:
    """The daemon that is judged."""
    with _judged(request, "daemon", folder, "--data-dir", str(folder / "data")) as service:
        yield service


@pytest.fixture(params=["runtime", "daemon"])
def service(request: pytest.FixtureRequest) -> Service:
    """One after the other: what is asked of both."""
    found: Service = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def make_profile(daemon: Service) -> Iterator[MakeProfile]:
    """Puts a new profile and returns its name; at the end it is gone, and what was launched from it."""
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
    given: str | None = request.config.getoption(f"--{kind}-url")
    log = folder / f"{kind}.log"
    with nullcontext(given) if given else serving(f"arp-{kind}", log, *options) as url:
        service = Service(kind, url)
        with service.http:
            yield service
