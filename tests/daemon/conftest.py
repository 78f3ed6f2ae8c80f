"""A real daemon that all tests here share, or one for one test alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.daemon import RunningDaemon, running_daemon
from support.forked import forked_commands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from support.forked import ForkedCommands


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_daemon: has the daemon stop under it, or needs one without a past")


@pytest.fixture
def daemon(request: pytest.FixtureRequest) -> RunningDaemon:
    """One that the tests share, tidied after each; a fresh one for a test that is marked `own_daemon`."""
    own = request.node.get_closest_marker("own_daemon")
    found: RunningDaemon = request.getfixturevalue("_own_daemon" if own else "_tidied_daemon")
    return found


@pytest.fixture(scope="module")
async def shared_daemon(_daemon_of_all: RunningDaemon) -> AsyncIterator[RunningDaemon]:
    """The one that the tests share, for those of a module that leave it as they found it; tidied after the last."""
    yield _daemon_of_all
    await _daemon_of_all.tidy()


@pytest.fixture(scope="session")
async def _daemon_of_all(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """Runs that it is given have ids, keys and labels of their own. It may be killed and started again.

    A fresh one with its first instance costs a second and a half of CPU, of which the whole suite has a few hundred.
    """
    async with running_daemon(tmp_path_factory.mktemp("shared") / "data") as running:
        yield running


@pytest.fixture
async def _tidied_daemon(shared_daemon: RunningDaemon) -> AsyncIterator[RunningDaemon]:
    yield shared_daemon
    if shared_daemon.process.returncode is not None:  # the test has failed, and the next one need not
        await shared_daemon.start()
    await shared_daemon.tidy()


@pytest.fixture(scope="session")
def arp_daemon() -> Iterator[ForkedCommands]:
    """Runs `arp-daemon` with arguments to its end."""
    with forked_commands("arp-daemon", "arp_daemon.cli") as forked:
        yield forked


@pytest.fixture
async def _own_daemon(tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(tmp_path / "data") as running:
        yield running
