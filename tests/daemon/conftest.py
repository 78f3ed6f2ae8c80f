"""A real daemon for the tests of each module, or for one test alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.daemon import RunningDaemon, running_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_daemon: ends the daemon, or counts what it has ever done")


@pytest.fixture
def daemon(request: pytest.FixtureRequest) -> RunningDaemon:
    """One that the module's tests share, tidied after each; a fresh one for a test that is marked `own_daemon`."""
    own = request.node.get_closest_marker("own_daemon")
    found: RunningDaemon = request.getfixturevalue("_own_daemon" if own else "_tidied_daemon")
    return found


@pytest.fixture(scope="module")
async def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """One for the tests of a module that leave it as they found it; their runs have ids or labels of their own."""
    async with running_daemon(tmp_path_factory.mktemp("shared") / "data") as running:
        yield running


@pytest.fixture
async def _tidied_daemon(shared_daemon: RunningDaemon) -> AsyncIterator[RunningDaemon]:
    yield shared_daemon
    await shared_daemon.tidy()


@pytest.fixture
async def _own_daemon(tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(tmp_path / "data") as running:
        yield running
