"""What a test lets go on when it is ready: a gate, and an instance whose answers wait behind one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from arp_daemon.relay import Accepted, Delivery, Outcome, Unknown
from arp_model import RunState, RunStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Gate:
    """Opens when it is told to; until then whoever comes waits."""

    def __init__(self) -> None:
        self.open = anyio.Event()
        self.open.set()

    def close(self) -> None:
        self.open = anyio.Event()

    async def __call__(self) -> None:
        await self.open.wait()
        await checkpoint()


class GatedRuntime:
    """One instance: it is sent runs, and its answers wait behind a gate."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.sent: list[str] = []
        self.batches: list[list[str]] = []
        self.stopped: list[str] = []

    async def __aenter__(self) -> GatedRuntime:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return

    async def hand_over(self, _request: bytes, token: str) -> Outcome:
        self.sent.append(token)
        await self.gate()
        return Unknown("the answer is lost")

    async def hand_over_batch(self, _requests: list[bytes], tokens: list[str]) -> list[Outcome]:
        self.batches.append(tokens)
        await self.gate()
        return [Accepted() for _ in tokens]

    async def follow(self, _cursor: str | None) -> AsyncIterator[Delivery]:
        """It says nothing."""
        await anyio.sleep_forever()
        yield Delivery([], [], None)

    async def cancel_run(self, run_id: str) -> RunStatus:
        self.stopped.append(run_id)
        return RunStatus(run_id=run_id, state=RunState.RUNNING)

    async def get_run_status(self, run_id: str) -> RunStatus:
        return RunStatus(run_id=run_id, state=RunState.CANCELED)
