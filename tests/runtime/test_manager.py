"""What a run goes through: its states, its id, its cancelling, the runtime's stop."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from arp_model import UNSET, RunState
from arp_runtime.agents.default import default_agent
from arp_runtime.errors import LimitExceededError
from arp_runtime.runs import manager as manager_module
from arp_runtime.runs.table import Limits
from arp_service.errors import (
    InvalidRequestError,
    RunConflictError,
    RunNotFinishedError,
    RunNotFoundError,
    StoppingError,
)
from arp_service.stopping import Stop
from runtime.scene import ended, events_of, managed, request, story

if TYPE_CHECKING:
    from arp_runtime.agents.context import AgentContext
    from arp_runtime.runs.manager import RunManager


class Gate:
    """An agent that says when it has begun, and goes on when it is let."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.opened = anyio.Event()
        self.stopped = anyio.Event()
        self.calls = 0

    async def __call__(self, context: AgentContext) -> dict[str, Any]:
        self.calls += 1
        self.begun.set()
        try:
            await context.emit_token("so far")
            await self.opened.wait()
        finally:
            self.stopped.set()
        return {"answer": "done"}


async def test_a_run_is_queued_then_running_then_succeeded() -> None:
    """Times come with the states: started_at once it runs, ended_at at the end."""
    gate = Gate()
    async with managed(gate) as runs:
        run = runs.create(request("x"))
        status = run.status()
        assert (status.state, status.started_at, status.ended_at) == (RunState.QUEUED, UNSET, UNSET)
        await gate.begun.wait()
        status = run.status()
        assert status.state is RunState.RUNNING
        assert status.started_at is not UNSET
        assert status.ended_at is UNSET
        gate.opened.set()
        status = (await ended(runs, run.run_id)).status
    assert status.state is RunState.SUCCEEDED
    assert status.started_at is not UNSET
    assert status.ended_at is not UNSET
    assert status.ended_at >= status.started_at


async def test_what_a_run_takes_is_freed_with_its_end() -> None:
    """Nothing of it waits for the garbage collector, whose pauses everybody would bear."""
    contexts: list[weakref.ref[AgentContext]] = []

    async def agent(context: AgentContext) -> None:
        contexts.append(weakref.ref(context))
        await context.tools.call("calculator", {"expression": "1 + 1"})

    gc.disable()
    try:
        async with managed(agent) as runs:
            await ended(runs, runs.create(request("x")).run_id)
            await anyio.lowlevel.checkpoint()
            assert contexts[0]() is None
    finally:
        gc.enable()


async def test_an_agent_that_goes_on_after_its_end_is_still_limited() -> None:
    """Its budget counts on, and ends nothing that has ended."""
    contexts: list[AgentContext] = []

    async def agent(context: AgentContext) -> None:
        contexts.append(context)

    async with managed(agent) as runs:
        run = runs.create(request("x", limits={"max_tokens": 1}))
        assert (await ended(runs, run.run_id)).result.ok
        await contexts[0].emit_token("one")
        with pytest.raises(LimitExceededError):
            await contexts[0].emit_token("two")
        assert run.state is RunState.SUCCEEDED


async def test_runs_execute_at_the_same_time() -> None:
    """A hundred runs that each wait for the others all end."""
    here: list[str] = []
    everybody = anyio.Event()

    async def agent(context: AgentContext) -> None:
        here.append(context.run_id)
        if len(here) == 100:
            everybody.set()
        await everybody.wait()

    async with managed(agent) as runs:
        for run_id in [runs.create(request()).run_id for _ in range(100)]:
            assert (await ended(runs, run_id)).result.ok


async def test_an_equal_request_gives_the_same_run() -> None:
    """Before and after its end, whatever the order of members; the agent is called once."""
    gate = Gate()
    first = request("x", run_id="r1", metadata={"labels": {"a": "1", "b": "2"}})
    again = request("x", run_id="r1", metadata={"labels": {"b": "2", "a": "1"}})
    async with managed(gate) as runs:
        run = runs.create(first)
        assert runs.create(again) is run
        gate.opened.set()
        await ended(runs, "r1")
        assert runs.create(again) is run
    assert gate.calls == 1


async def test_another_request_with_the_same_id_is_a_conflict() -> None:
    """And leaves the first as it was."""
    async with managed(default_agent) as runs:
        runs.create(request("x", run_id="r1"))
        with pytest.raises(RunConflictError):
            runs.create(request("y", run_id="r1"))
        assert (await ended(runs, "r1")).result.output == {"answer": "x", "tool_id": "echo", "result": {"text": "x"}}


async def test_an_assigned_id_can_be_sent_again() -> None:
    """A client that learned the id repeats the request with it."""
    async with managed(default_agent) as runs:
        run = runs.create(request("x"))
        assert run.run_id.startswith("run_")
        assert runs.create(request("x", run_id=run.run_id)) is run


@pytest.mark.parametrize("run_id", ["", "a/b", "a:b", "..", "a..b", "-a", "x" * 129, "a\n", "\u00e4", "a b"])
async def test_an_id_that_cannot_stand_in_a_url_is_refused(run_id: str) -> None:
    """With its place, and nothing is kept of it."""
    async with managed(default_agent) as runs:
        with pytest.raises(InvalidRequestError, match=r"\$\.run_id"):
            runs.create(request("x", run_id=run_id))
        assert runs.under_way == 0


async def test_a_result_before_the_end_is_refused() -> None:
    """409 run_not_finished; and an unknown run is 404 run_not_found."""
    async with managed(Gate()) as runs:
        run = runs.create(request())
        with pytest.raises(RunNotFinishedError):
            runs.get_result(run.run_id)
        with pytest.raises(RunNotFoundError):
            runs.get_result("nobody")


async def test_cancelling_stops_the_agent_for_real() -> None:
    """When cancel answers, the agent has stopped, the state is canceled, and what was said is in the result."""
    gate = Gate()
    async with managed(gate) as runs:
        run = runs.create(request())
        await gate.begun.wait()
        canceled = await runs.cancel(run.run_id)
        assert gate.stopped.is_set()
        told = await ended(runs, run.run_id)
        assert canceled.status() == told.status
        assert (await runs.cancel(run.run_id)).status() == told.status
        assert runs.under_way == 0
    assert told.status.state is RunState.CANCELED
    assert told.code == "canceled"
    assert told.events[-1]["type"] == "error"
    assert told.result.output == {"answer": "so far", "partial": True}


async def test_the_first_reason_to_end_counts() -> None:
    """A canceled run stays canceled, even where its agent goes over a limit while it cleans up."""
    begun = anyio.Event()

    async def agent(context: AgentContext) -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            await context.emit_token("good")
            await context.emit_token("bye")

    async with managed(agent) as runs:
        run = runs.create(request(limits={"max_tokens": 1}))
        await begun.wait()
        await runs.cancel(run.run_id)
        assert (await ended(runs, run.run_id)).code == "canceled"


async def test_a_run_canceled_in_the_queue_never_begins() -> None:
    """queued -> canceled, without started_at; its agent is never called."""
    gate = Gate()
    async with managed(gate) as runs:
        run = runs.create(request())
        await runs.cancel(run.run_id)
        told = await ended(runs, run.run_id)
        other = runs.create(request())
        await gate.begun.wait()
        assert other.state is RunState.RUNNING
    assert told.status.state is RunState.CANCELED
    assert told.status.started_at is UNSET
    assert gate.calls == 1


async def test_cancelling_an_ended_run_changes_nothing() -> None:
    """It stays succeeded, with the same times and the same last event."""
    async with managed(default_agent) as runs:
        run = runs.create(request("x"))
        told = await ended(runs, run.run_id)
        assert (await runs.cancel(run.run_id)).status() == told.status
        assert await ended(runs, run.run_id) == told


async def test_a_stopping_runtime_takes_no_new_runs() -> None:
    """503 stopping; a known run is still given back."""
    stop = Stop()
    async with managed(default_agent, stop=stop) as runs:
        run = runs.create(request("x", run_id="r1"))
        stop.requested.set()
        assert runs.create(request("x", run_id="r1")) is run
        with pytest.raises(StoppingError):
            runs.create(request("y"))


async def test_a_stop_lets_runs_end_within_the_grace() -> None:
    """What ends in time ends as it would have."""
    gate = Gate()
    async with managed(gate) as runs:
        run = runs.create(request())
        await gate.begun.wait()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runs.drain, 10)
            await anyio.wait_all_tasks_blocked()
            gate.opened.set()
        assert (await ended(runs, run.run_id)).result.ok


async def test_a_stop_interrupts_what_outlives_the_grace() -> None:
    """Failed with code interrupted, retryable; the agent was cancelled."""
    gate = Gate()
    async with managed(gate) as runs:
        run = runs.create(request())
        await gate.begun.wait()
        await runs.drain(0)
        assert gate.stopped.is_set()
        told = await ended(runs, run.run_id)
    assert told.status.state is RunState.FAILED
    assert told.code == "interrupted"
    assert told.result.error
    assert told.result.error.retryable is True


async def test_a_stop_ends_the_runs_of_agents_that_resist(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is over for everybody who watches, and what its agent still says is not taken."""
    monkeypatch.setattr(manager_module, "_INTERRUPT_WAIT_S", 0.01)
    release = anyio.Event()

    async def resisting(context: AgentContext) -> dict[str, Any]:
        with anyio.CancelScope(shield=True):
            await release.wait()
            await context.emit_token("late")
        return {"answer": "late"}

    async with managed(resisting) as runs:
        run = runs.create(request())
        await anyio.wait_all_tasks_blocked()
        await runs.drain(0)
        told = await ended(runs, run.run_id)
        release.set()
        await anyio.wait_all_tasks_blocked()
        assert await ended(runs, run.run_id) == told
    assert told.code == "interrupted"


async def test_ended_runs_are_forgotten_when_there_are_too_many() -> None:
    """The newest are kept, and runs under way are never forgotten."""
    gate = Gate()

    async def agent(context: AgentContext) -> None:
        if context.goal == "stay":
            await gate(context)

    async with managed(agent, ended=Limits(runs=2)) as runs:
        runs.create(request("stay", run_id="staying"))
        for number in range(4):
            runs.create(request(run_id=f"r{number}"))
            await ended(runs, f"r{number}")
        known = [run_id for run_id in ("staying", "r0", "r1", "r2", "r3") if _knows(runs, run_id)]
    assert known == ["staying", "r2", "r3"]


def _knows(runs: RunManager, run_id: str) -> bool:
    try:
        runs.get(run_id)
    except RunNotFoundError:
        return False
    return True


async def test_a_runs_events_are_there_while_it_runs() -> None:
    """Nobody has to wait for the end to see what happens."""
    gate = Gate()
    async with managed(gate) as runs:
        run = runs.create(request())
        await gate.begun.wait()
        assert [event["data"] for event in await events_of(run.log)] == [{"text": "so far"}]


async def test_the_default_agent_shows_what_it_does() -> None:
    """Step, tool call, tool result, tokens and final, from what was really done."""
    told = await story(default_agent, "What is (19*23)?")
    types = [event["type"] for event in told.events]
    assert types == ["step", "tool_call", "tool_result", "token", "token", "token", "final"]
    assert "".join(data["text"] for data in told.data_of("token")) == "(19*23) = 437"
    assert told.result.output
    assert told.result.output["answer"] == "(19*23) = 437"
    assert told.result.output["result"]["value"] == 437
    assert told.result.usage == {"steps": 2, "tool_calls": 1, "tokens": 3}
