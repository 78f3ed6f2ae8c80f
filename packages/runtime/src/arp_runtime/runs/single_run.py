"""One run of one agent in this process, without a server: for a terminal, and for tests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from arp_model import RunEvent
from arp_runtime.runs.manager import Keeping, open_manager
from arp_runtime.runs.turns import Capacity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from arp_model import RunRequest
    from arp_runtime.agents.kinds import LoadedAgent
    from arp_runtime.runs.events import RunLog
    from arp_runtime.runs.manager import RunManager
    from arp_runtime.runs.table import Run
    from arp_runtime.runs.workbench import Workbench
    from arp_service.stopping import Stop

_DATA = b"data: "


@asynccontextmanager
async def started(
    agent: LoadedAgent, request: RunRequest, bench: Workbench, stop: Stop, keeping: Keeping | None = None
) -> AsyncIterator[tuple[RunManager, Run]]:
    """The run, and the manager that executes it."""
    async with open_manager(agent, bench, stop, Capacity(1, 0), keeping) as runs:
        yield runs, runs.create(request)


async def follow(log: RunLog) -> AsyncIterator[RunEvent]:
    """A run's events as they come, to the last."""
    position = 0
    while True:
        frames = await log.read(position)
        for line in frames.body.splitlines():
            if line.startswith(_DATA):
                yield RunEvent.from_json(line.removeprefix(_DATA))
        if frames.ended:
            return
        position = frames.position
        await log.wait(position)
