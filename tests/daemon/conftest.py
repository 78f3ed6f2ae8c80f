"""A real daemon for each test, or for each module, on a data dir of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.daemon import RunningDaemon, running_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RunningDaemon]:
    async with running_daemon(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="module")
async def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """One for the tests of a module that leave it as they found it; their runs have ids or labels of their own."""
    async with running_daemon(tmp_path_factory.mktemp("shared") / "data") as running:
        yield running
