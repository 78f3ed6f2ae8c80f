"""Scripted instances: they answer late, twice or not at all, lose their connection, lie a little, and die.

What they say and do is chosen by the world's random numbers. `SimRelay` and `SimClient` stand in for the daemon's
connections to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from arp_daemon.relay import Accepted, Delivery, Outcome, Refused, RelayError, Unknown
from arp_daemon.wire_events import CANCELED, WireEvent
from arp_model import ErrorDetail, RunEventType, RunRequest, RunState, RunStatus
from arp_sdk.errors import ArpConnectionError, ArpResponseError
from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from arp_daemon.address import Address
    from daemon.simulation.world import World

_NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


@dataclass
class Execution:
    """The work of one runtime on what one token names."""

    token: str
    goal: str
    told_to_stop: bool = False
    state: RunState = RunState.RUNNING
    seq: int = 0

    @property
    def live(self) -> bool:
        """Whether somebody works on it."""
        return self.state is RunState.RUNNING


@dataclass
class SimRuntime:
    """One instance, as it is inside."""

    world: World
    instance_id: str
    alive: bool = True
    executions: dict[str, Execution] = field(default_factory=dict)
    log: list[WireEvent] = field(default_factory=list)
    changed: Changed = field(default_factory=Changed)

    def die(self) -> None:
        """All its work ends with it."""
        self.alive = False
        for execution in self.executions.values():
            execution.state = RunState.FAILED if execution.live else execution.state
        self.changed.notify()

    def take(self, request: bytes) -> None:
        """Begin to work; a token that is known is the same run."""
        decoded = RunRequest.from_json(request)
        token = str(decoded.run_id)
        if self.alive and token not in self.executions:
            execution = self.executions[token] = Execution(token, decoded.input_.goal)
            self.world.note_execution(self, execution)
            self.world.tasks.start_soon(self._work, execution)

    async def _work(self, execution: Execution) -> None:
        random, deaf = self.world.random, self.world.chance(0.1)
        for _ in range(random.randrange(4)):
            await self.world.nap()
            if not execution.live or (execution.told_to_stop and not deaf):
                break
            self._say(execution, RunEventType.TOKEN, {"text": "x"})
        await self.world.nap()
        if not execution.live:
            return
        if execution.told_to_stop and not deaf:
            execution.state = RunState.CANCELED
            self._say(execution, RunEventType.ERROR, {"ok": False, "error": {"code": CANCELED, "message": "x"}})
        elif self.world.chance(0.2):
            execution.state = RunState.FAILED
            self._say(execution, RunEventType.ERROR, {"ok": False, "error": {"code": "x", "message": "x"}})
        else:
            execution.state = RunState.SUCCEEDED
            self._say(execution, RunEventType.FINAL, {"ok": True, "output": {"answer": execution.goal}})

    def _say(self, execution: Execution, type_: RunEventType, data: dict[str, Any]) -> None:
        """Once, or twice; rarely under an old token or another's, or with a gap."""
        if self.world.chance(0.01):
            execution.seq += 1
            self.world.model.liars.add(execution.goal)
        event = WireEvent(execution.token, execution.seq, type_, _NOW, data)
        execution.seq += 1
        self.log += [event] * (2 if self.world.chance(0.1) else 1)
        others = [token for token in self.world.tokens if token not in self.executions]
        if others and self.world.chance(0.1):
            self.log.append(WireEvent(self.world.random.choice(others), execution.seq, type_, _NOW, data))
        self.changed.notify()


class SimRelay:
    """`Relay` to a scripted runtime."""

    world: World

    def __init__(self, address: Address) -> None:
        self._runtime = self.world.runtimes[address.base_url]

    async def __aenter__(self) -> SimRelay:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return

    async def hand_over_batch(self, requests: list[bytes], tokens: list[str]) -> list[Outcome]:
        """See `Relay`."""
        return [await self.hand_over(request, token) for request, token in zip(requests, tokens, strict=True)]

    async def hand_over(self, request: bytes, _token: str) -> Outcome:
        """See `Relay`."""
        world, runtime = self._runtime.world, self._runtime
        if not runtime.alive:
            return Refused(ErrorDetail(code="instance_unreachable", message="x"), busy=True)
        await world.nap()
        fate = world.random.random()
        if fate < 0.12:
            return Refused(ErrorDetail(code="x", message="x"), busy=fate < 0.08)
        if fate < 0.18:
            return Unknown("it never arrived")
        runtime.take(request)
        await world.nap()
        return Unknown("the answer is lost") if fate < 0.26 or not runtime.alive else Accepted()

    async def follow(self, cursor: str | None) -> AsyncIterator[Delivery]:
        """See `Relay`: from the cursor, or some events earlier."""
        world, runtime = self._runtime.world, self._runtime
        at = max(0, int(cursor or 0) - world.random.randrange(3))
        while True:
            await world.nap()
            if not runtime.alive or world.chance(0.02):
                raise RelayError("broke")
            if at == len(runtime.log):
                await runtime.changed.wait()
                continue
            events = runtime.log[at : at + world.random.randrange(1, 5)]
            at += len(events)
            yield Delivery(list(events), [], str(at))


class SimClient:
    """`AsyncRuntimeClient` of a scripted runtime."""

    def __init__(self, address: Address) -> None:
        self._runtime = SimRelay.world.runtimes[address.base_url]

    async def __aenter__(self) -> SimClient:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return

    async def get_run_status(self, run_id: str) -> RunStatus:
        """See the SDK."""
        return RunStatus(run_id=run_id, state=(await self._find(run_id)).state)

    async def cancel_run(self, run_id: str) -> RunStatus:
        """See the SDK."""
        execution = await self._find(run_id)
        execution.told_to_stop = True
        return RunStatus(run_id=run_id, state=execution.state)

    async def _find(self, token: str) -> Execution:
        await self._runtime.world.nap()
        if not self._runtime.alive or self._runtime.world.chance(0.05):
            raise ArpConnectionError("unreachable", "x")
        found = self._runtime.executions.get(token)
        if found is None:
            raise ArpResponseError("run_not_found", "x", status_code=404)
        return found
