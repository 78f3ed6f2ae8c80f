"""Whatever clients, agents and the power do, in whatever order: each run keeps the runtime's promises.

A model remembers what clients were told. After each restart, the manager must still say the same.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from arp_model import RunState
from arp_runtime.errors import AgentError
from arp_runtime.records.opening import RecordSettings, open_records
from runtime.scene import events_of, managed, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from arp_runtime.agents.context import AgentContext
    from arp_runtime.runs.manager import RunManager
    from arp_runtime.runs.table import Run

_IDS = st.sampled_from(["a", "b", "c"])
_ORDERS = st.lists(st.sampled_from(["token", "token", "token", "finish", "fail"]), min_size=1, max_size=5)
_TERMINAL = {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED}


class Puppet:
    """An agent that does what the machine says, run by run."""

    def __init__(self) -> None:
        self.orders: dict[str, asyncio.Queue[str]] = {}

    async def __call__(self, context: AgentContext) -> dict[str, Any]:
        orders = self.orders[context.run_id] = asyncio.Queue()
        try:
            while (order := await orders.get()) != "finish":
                if order == "fail":
                    raise AgentError("told_to", "It was told to fail.")
                await context.emit_token(order)
            return {"answer": "done"}
        finally:
            del self.orders[context.run_id]


class RunLife(RuleBasedStateMachine):
    """Creates, cancels, finishes and restarts; `told` is what clients know of each run: its state and events."""

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        self.folder = self.stack.enter_context(TemporaryDirectory())
        self.portal = self.stack.enter_context(anyio.from_thread.start_blocking_portal())
        self.process = self.stack.enter_context(ExitStack())
        self.told: dict[str, tuple[RunState, list[dict[str, Any]]]] = {}
        self.canceled: set[str] = set()
        self._open()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    @rule(run_id=_IDS)
    def create(self, run_id: str) -> None:
        async def act() -> None:
            run = self.manager.create(request("x", run_id=run_id))
            await run.kept.wait()
            self.told.setdefault(run_id, (RunState.QUEUED, []))

        self._act(act)

    @precondition(lambda self: self.puppet.orders)
    @rule(
        data=st.data(), orders=st.lists(st.sampled_from(["token", "token", "finish", "fail"]), min_size=1, max_size=4)
    )
    def order(self, data: st.DataObject, orders: list[str]) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.puppet.orders)))

        async def act() -> None:
            log = self.manager.get(run_id).log
            shown = len(log.encoded_events())
            for order in orders:
                self.puppet.orders[run_id].put_nowait(order)
            ends = [number for number, order in enumerate(orders, 1) if order != "token"]
            while len(log.encoded_events()) < shown + min([*ends, len(orders)]):
                await anyio.lowlevel.checkpoint()

        self._act(act)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.told)))

        async def act() -> None:
            before = self.manager.get(run_id).state
            run = await self.manager.cancel(run_id)
            assert run.state in _TERMINAL
            if before in _TERMINAL:
                assert run.state is before
            self.canceled.add(run_id)
            await self._look_at(run)

        self._act(act)

    @rule()
    def look(self) -> None:
        """Clients look at every run; what they see only ever grows."""

        async def act() -> None:
            for run_id in self.told:
                await self._look_at(self.manager.get(run_id))

        self._act(act)

    @rule(looked=st.sampled_from([True, True, False]))
    def restart(self, *, looked: bool) -> None:
        """The process ends, whatever its agents are doing, and another one begins: all runs have ended there."""
        if looked:
            self.look()
        self.process.close()
        self._open()
        self.look()
        assert [run_id for run_id, (state, _) in self.told.items() if state not in _TERMINAL] == []

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Every run that was accepted is known."""
        if hasattr(self, "manager"):
            assert [run_id for run_id in self.told if self.manager.get(run_id).run_id != run_id] == []

    def _act(self, act: Any) -> None:
        async def bounded() -> None:
            with anyio.fail_after(20):
                await act()
                for _ in range(5):  # let agents take their orders
                    await anyio.lowlevel.checkpoint()

        self.portal.call(bounded)

    async def _look_at(self, run: Run) -> None:
        state, seen = self.told[run.run_id]
        events = await events_of(run.log)
        assert events[: len(seen)] == seen
        assert [event["seq"] for event in events] == list(range(len(events)))
        lasts = [event["type"] in ("final", "error") for event in events]
        assert lasts == [False] * (len(events) - 1) + [run.state in _TERMINAL] if events else run.state not in _TERMINAL
        if state in _TERMINAL:
            assert (run.state, events) == (state, seen)
        if run.state is RunState.CANCELED:
            assert run.run_id in self.canceled
        if run.state is RunState.QUEUED:
            assert state is RunState.QUEUED
        self.told[run.run_id] = (run.state, events)

    def _open(self) -> None:
        self.puppet = Puppet()
        self.manager = self.process.enter_context(self.portal.wrap_async_context_manager(self._running()))

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[RunManager]:
        async with (
            open_records(RecordSettings(Path(self.folder))) as records,
            managed(self.puppet, records=records) as runs,
        ):
            yield runs


TestRunLife = RunLife.TestCase
TestRunLife.settings = settings(max_examples=20, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow])
