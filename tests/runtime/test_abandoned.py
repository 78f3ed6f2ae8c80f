"""Agents that do not stop: their runs end all the same, and the runtime says that it is to be replaced."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_model import RunState
from arp_runtime.errors import RunHaltedError
from arp_runtime.tools.functions import tool
from arp_service.errors import UnavailableError
from runtime.scene import ended, managed, request

if TYPE_CHECKING:
    from arp_runtime import AgentContext, SyncAgentContext


class Deaf:
    """A plain function that looks at nothing until it is let go."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.let_go = threading.Event()

    def run(self, context: SyncAgentContext) -> str:
        context.step("begun")
        self.let_go.wait(10)
        return "late"


async def test_a_thread_that_ignores_its_cancelling_is_left_behind() -> None:
    """Its run is canceled with `arp.abandoned`, no more runs are taken, until it has ended after all."""
    agent = Deaf()
    async with managed(agent, cancel_grace_s=0.01) as runs:
        run = runs.create(request())
        while not run.log.size:
            await anyio.lowlevel.checkpoint()
        assert (await runs.cancel(run.run_id)).state is RunState.CANCELED
        told = await ended(runs, run.run_id)
        assert told.code == "canceled"
        assert told.result.extensions == {"arp.abandoned": True}
        assert runs.abandoned == 1
        with pytest.raises(UnavailableError, match="replaced"):
            runs.create(request())
        assert runs.create(request(run_id=run.run_id)) is run
        assert (await runs.cancel(run.run_id)).status() == told.status
        agent.let_go.set()
        while runs.abandoned:
            await anyio.lowlevel.checkpoint()
        assert await ended(runs, run.run_id) == told
        assert (await ended(runs, runs.create(request()).run_id)).result.ok


async def test_a_thread_that_overstays_its_timeout_is_left_behind() -> None:
    """Its run fails with limit_exceeded when the grace is over."""
    agent = Deaf()
    async with managed(agent, cancel_grace_s=0.01) as runs:
        run = runs.create(request(limits={"timeout_ms": 1}))
        told = await ended(runs, run.run_id)
        agent.let_go.set()
    assert told.code == "limit_exceeded"
    assert told.result.extensions == {"arp.abandoned": True}


async def test_an_async_agent_that_resists_is_left_behind_too() -> None:
    """What it still says is not taken."""
    release = anyio.Event()

    async def resisting(context: AgentContext) -> dict[str, Any]:
        with anyio.CancelScope(shield=True):
            await release.wait()
            await context.emit_token("late")
        return {"answer": "late"}

    async with managed(resisting, cancel_grace_s=0.01) as runs:
        run = runs.create(request())
        await anyio.wait_all_tasks_blocked()
        assert (await runs.cancel(run.run_id)).state is RunState.CANCELED
        told = await ended(runs, run.run_id)
        release.set()
        await anyio.wait_all_tasks_blocked()
        assert await ended(runs, run.run_id) == told
    assert told.result.extensions == {"arp.abandoned": True}


async def test_a_thread_that_looks_at_the_flag_stops_in_time() -> None:
    """Nothing is left behind, and every call of its context says that the run is over."""
    begun = threading.Event()
    caught: list[str] = []

    def agent(context: SyncAgentContext) -> str:
        context.emit_token("so far")
        begun.set()
        while not context.canceled:
            pass
        try:
            context.tools.call("echo", {"text": "x"})
        except RunHaltedError as error:
            caught.append(error.code)
        return "stopped"

    async with managed(agent) as runs:
        run = runs.create(request())
        while not begun.is_set():
            await anyio.lowlevel.checkpoint()
        await runs.cancel(run.run_id)
        told = await ended(runs, run.run_id)
        assert runs.abandoned == 0
    assert told.status.state is RunState.CANCELED
    assert told.events[-1]["data"]["error"]["code"] == "canceled"
    assert "extensions" not in told.result.to_dict()
    assert told.result.output == {"answer": "so far", "partial": True}
    assert caught == ["canceled"]


async def test_a_thread_in_the_middle_of_a_tool_is_called_back() -> None:
    """The tool is cancelled, and the call raises why."""
    caught: list[str] = []
    begun = anyio.Event()

    @tool
    async def wait() -> None:
        begun.set()
        await anyio.sleep_forever()

    def agent(context: SyncAgentContext) -> None:
        try:
            context.tools.call("wait", {})
        except RunHaltedError as error:
            caught.append(error.code)

    async with managed(agent, [wait]) as runs:
        run = runs.create(request())
        await begun.wait()
        await runs.cancel(run.run_id)
        assert runs.abandoned == 0
    assert caught == ["canceled"]
