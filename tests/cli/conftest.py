"""A real daemon for each module of tests; their runs have ids of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.daemon import RunningDaemon, running_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
async def daemon(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """It asks for the backend so that tests that are not async can have it too."""
    async with running_daemon(tmp_path_factory.mktemp("daemon") / "data") as running:
        yield running


@pytest.fixture
def url(daemon: RunningDaemon) -> str:
    return daemon.url
