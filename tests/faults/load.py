"""A client that submits at a rate, and remembers what it was promised."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

    from support.daemon import RunningDaemon


class Load:
    """Submits runs under ids of its own; what got no answer is submitted again, as a careful client does.

    The goal of each run is its id, so that an agent's own record names it.
    """

    def __init__(self, daemon: RunningDaemon, profile: str = "default", *, rate: float = 50.0) -> None:
        self.profile = profile
        self._daemon = daemon
        self._rate = rate
        self._count = 0
        self.accepted: set[str] = set()
        """Answered with 202."""
        self.unanswered: set[str] = set()
        """Sent, and nobody knows what became of them."""
        self.resubmitted = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Submit while the block runs; afterwards each call has been answered, or has failed."""
        async with anyio.create_task_group() as tasks:
            pacing = anyio.CancelScope()
            tasks.start_soon(self._pace, pacing, tasks)
            try:
                yield
            finally:
                pacing.cancel()

    async def settle(self) -> None:
        """Submit again what got no answer; the daemon is there."""
        for run_id in sorted(self.unanswered):
            self.resubmitted += 1
            await self._submit(run_id)
        assert self.unanswered == set()

    async def _pace(self, pacing: anyio.CancelScope, tasks: TaskGroup) -> None:
        with pacing:
            while True:
                self._count += 1
                tasks.start_soon(self._submit, f"{self.profile}-{self._count}")
                await anyio.sleep(1 / self._rate)

    async def _submit(self, run_id: str) -> None:
        self.unanswered.add(run_id)
        selector = {"runtime_profile": self.profile}
        body = {"run_id": run_id, "input": {"goal": run_id}, "runtime_selector": selector}
        try:
            response = await self._daemon.client.post("/v1/runs", json=body)
        except httpx.TransportError:
            return
        assert response.status_code == 202, response.text
        self.unanswered.discard(run_id)
        self.accepted.add(run_id)
