"""A real runtime for the tests of what it says over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from support.forked import forked_commands
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.forked import ForkedCommands
    from support.runtime import RunningRuntime


@pytest.fixture(scope="session")
def arp_runtime() -> Iterator[ForkedCommands]:
    """Runs `arp-runtime` with arguments to its end."""
    commands = (f"arp_runtime.commands.{name}" for name in ("run", "tools", "init"))
    with forked_commands("arp-runtime", "arp_runtime.cli", *commands) as forked:
        yield forked


@pytest.fixture(scope="module")
async def runtime() -> AsyncIterator[RunningRuntime]:
    """One for each module of tests; their runs have ids of their own."""
    async with running_runtime(env={"ARP_INSTANCE_NONCE": "n-1"}) as running:
        yield running


@pytest.fixture
async def client(runtime: RunningRuntime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that runtime."""
    async with httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as opened:
        yield opened
