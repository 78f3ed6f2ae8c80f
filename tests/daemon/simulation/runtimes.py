"""Scripted instances: they answer late, twice or not at all, work too long, lose their connection, lie, and die.

What they say and do is chosen by the world's random numbers. `SimRelay` and `SimClient` stand in for the daemon's
connections to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from msgspec import UNSET

from arp_daemon.relay import Accepted, Delivery, Outcome, Refused, RelayError, Unknown
from arp_daemon.wire_events import CANCELED, WireEvent
from arp_model import ErrorDetail, RunEventType, RunRequest, RunState, RunStatus
from arp_sdk.errors import ArpConnectionError, ArpResponseError
from arp_service.changed import Changed
from daemon.simulation.virtual_time import virtual_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from arp_daemon.address import Address
    from daemon.simulation.world import World

TIME_OVER = "limit_exceeded"


@dataclass
class Execution:
    """The work of one runtime on what one token names."""

    token: str
    goal: str
    time_s: float | None = None
    """How long it may take."""
    late: bool = False
    """It came when its daemon had given up waiting for the answer, and may have found out that it never came."""
    told_to_stop: bool = False
    endless: bool = False
    """It minds no time, and ends when it is told to, or by force."""
    forgotten: bool = False
    """Its daemon crashed while it saw to it that this work, on what had ended, was stopped."""
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
    pending: dict[str, RunRequest] = field(default_factory=dict)
    """Requests on their way here that nobody waits for any more."""

    def die(self) -> None:
        """All its work ends with it."""
        self.alive = False
        for execution in self.executions.values():
            execution.state = RunState.FAILED if execution.live else execution.state
        self.changed.notify()

    def take(self, request: RunRequest, *, late: bool = False) -> None:
        """Begin to work; a token that is known is the same run."""
        token = str(request.run_id)
        if self.alive and token not in self.executions:
            execution = Execution(token, request.input_.goal, _time_of(request), late)
            self.executions[token] = execution
            self.world.note_execution(self, execution)
            self.world.tasks.start_soon(self._work, execution)

    async def take_late(self, request: RunRequest) -> None:
        """A request comes so late that its sender has given up waiting; but before a later one with that token."""
        self.pending[str(request.run_id)] = request
        await self.world.nap()
        self.take_pending(str(request.run_id))

    def take_pending(self, token: str) -> None:
        """Such a request has come."""
        if (request := self.pending.pop(token, None)) is not None:
            self.take(request, late=True)

    async def _work(self, execution: Execution) -> None:
        """Some never end when their time is over, some do not when they are told to, and some do neither."""
        deaf = self.world.chance(0.1)
        began = anyio.current_time()
        execution.endless = execution.time_s is not None and not execution.late and self.world.chance(0.5)
        remaining = self.world.random.randrange(4)
        while execution.live and (execution.endless or remaining) and (deaf or not execution.told_to_stop):
            if remaining:
                self._say(execution, RunEventType.TOKEN, {"text": "x"})
                remaining -= 1
            await self.world.nap()
            if execution.endless and not remaining:
                await anyio.sleep(1)
        await self.world.nap()
        if not execution.live:
            return
        is_over = execution.time_s is not None and anyio.current_time() - began > execution.time_s
        if is_over and self.world.chance(0.5):
            execution.state = RunState.FAILED
            self._say(execution, RunEventType.ERROR, {"ok": False, "error": {"code": TIME_OVER, "message": "x"}})
        elif execution.told_to_stop and not deaf:
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
        event = WireEvent(execution.token, execution.seq, type_, virtual_now(), data)
        execution.seq += 1
        self.log += [event] * (2 if self.world.chance(0.1) else 1)
        others = [token for token in self.world.tokens if token not in self.executions]
        if others and self.world.chance(0.1):
            self.log.append(WireEvent(self.world.random.choice(others), execution.seq, type_, virtual_now(), data))
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
        """See `Relay`: all of them are sent in one call, and taken one after the other."""
        for request in requests:
            self._note_sending(request)
        return [await self._hand_over(request, token) for request, token in zip(requests, tokens, strict=True)]

    async def hand_over(self, request: bytes, token: str) -> Outcome:
        """See `Relay`."""
        self._note_sending(request)
        return await self._hand_over(request, token)

    def _note_sending(self, request: bytes) -> None:
        self.world.model.note_sending(RunRequest.from_json(request).input_.goal)

    async def _hand_over(self, request: bytes, token: str) -> Outcome:
        world, runtime, sent = self._runtime.world, self._runtime, RunRequest.from_json(request)
        if not runtime.alive:
            return Refused(ErrorDetail(code="instance_unreachable", message="x"), busy=True)
        await world.nap()
        runtime.take_pending(token)
        if token in runtime.executions:
            return Accepted()
        fate = world.random.random()
        if fate < 0.12:
            return Refused(ErrorDetail(code="x", message="x"), busy=fate < 0.08)
        if fate < 0.18:
            return Unknown("it never arrived")
        if fate < 0.22:
            world.tasks.start_soon(runtime.take_late, sent)
            return Unknown("no answer in time")
        runtime.take(sent)
        await world.nap()
        return Unknown("the answer is lost") if fate < 0.3 or not runtime.alive else Accepted()

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


def _time_of(request: RunRequest) -> float | None:
    limits = request.limits
    return None if limits is UNSET or limits.timeout_ms is UNSET else limits.timeout_ms / 1000
