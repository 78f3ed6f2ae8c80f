"""Our services beside programs that were published: `nox -s interop`.

They are installed from the registry, so these tests run only where this folder is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sdk.conftest import Caller
from support.daemon import RunningDaemon, running_daemon
from support.jarvis_program import serving_tools
from support.published import installed
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Look at this folder only where it, or something in it, was asked for."""
    asked = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(_HERE) for path in asked) else True


@pytest.fixture(scope="session")
def published_conformance() -> Path:
    """The `bin` folder of a venv with the published conformance checker."""
    return installed("conformance", "arp-conformance==0.2.6")


@pytest.fixture(scope="session")
def jarvis() -> Path:
    """The `bin` folder of a venv with the published JARVIS runtime and the tools that it calls."""
    return installed("jarvis", "arp-jarvis-runtime==0.1.0", "arp-jarvis-tool-registry==0.1.0")


@pytest.fixture(scope="session")
def jarvis_daemon() -> Path:
    """The `bin` folder of a venv with the published JARVIS daemon."""
    return installed("jarvis-daemon", "arp-jarvis-daemon==0.1.0")


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Both kinds of client of our SDK, one after the other."""
    return Caller(request.param)


@pytest.fixture
async def tools_url(jarvis: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The published tool registry, serving."""
    async with serving_tools(jarvis, tmp_path) as url:
        yield url


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    """A fresh daemon of ours."""
    async with running_daemon(tmp_path / "data") as running:
        yield running


@pytest.fixture
async def runtime_url() -> AsyncIterator[str]:
    """A runtime of ours."""
    async with running_runtime() as running:
        yield running.base_url


@pytest.fixture
def daemon_url(daemon: RunningDaemon) -> str:
    """Where the fresh daemon of ours listens."""
    return daemon.url
