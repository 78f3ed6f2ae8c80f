"""Profiles whose instances lie; see `bestiary/liar.py`."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.daemon import RunningDaemon

_COMMAND = [sys.executable, str(Path(__file__).with_name("bestiary") / "liar.py")]


@asynccontextmanager
async def running_liar(*features: str) -> AsyncIterator[str]:
    """A liar that somebody else runs; yields its address."""
    async with await anyio.open_process([*_COMMAND, "127.0.0.1", "0", *features], stderr=None) as process:
        try:
            assert process.stdout is not None
            yield (await process.stdout.receive()).decode().strip()
        finally:
            with suppress(ProcessLookupError):  # somebody has killed it
                process.kill()


async def put_liar(daemon: RunningDaemon, *features: str, name: str = "default", **exec_: Any) -> None:
    """Upsert a profile of one liar, which announces these features."""
    command = [*_COMMAND, "{host}", "{port}", *features]
    await daemon.put_profile(name, driver="command", command=command, **exec_)
