"""A real daemon for each test, on a data dir of its own."""

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
