"""The one owner of runs: takes them, executes them in a task group, ends them, remembers them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from arp_model import UNSET, ErrorDetail, RunEventType, RunResult, RunState
from arp_runtime.errors import InvalidOutputError, RunCanceledError, RunInterruptedError
from arp_runtime.events import Feed
from arp_runtime.execution import Execution
from arp_runtime.runs import MAX_ENDED_RUNS, Run, RunTable, digest
from arp_service.errors import RunConflictError, RunNotFinishedError
from arp_service.ids import check_id, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from anyio.abc import TaskGroup

    from arp_model import RunRequest
    from arp_runtime.agent import Agent
    from arp_runtime.errors import AgentError
    from arp_runtime.execution import Outcome
    from arp_runtime.tools import Tool
    from arp_service.stopping import Stop

# For an agent to clean up after it was cancelled; `cancel` answers after it at the latest.
_CANCEL_WAIT_S = 5.0
# The same at the end of the process, when every run is cancelled.
_INTERRUPT_WAIT_S = 2.0


class RunManager:
    """Takes, executes, cancels and remembers runs. Made by `open_manager`."""

    def __init__(
        self, agent: Agent, tools: Iterable[Tool], stop: Stop, tasks: TaskGroup, max_ended: int = MAX_ENDED_RUNS
    ) -> None:
        self.feed = Feed()
        self._agent = agent
        self._tools = {tool.definition.tool_id: tool for tool in tools}
        self._stop = stop
        self._tasks = tasks
        self._table = RunTable(max_ended)
        self._executions: dict[str, Execution] = {}

    @property
    def under_way(self) -> int:
        """How many runs are queued or running."""
        return len(self._executions)

    def create(self, request: RunRequest) -> Run:
        """Take a run, and have it executed soon. An equal request with the same id gives the same run again.

        Raises:
            InvalidRequestError: the run_id is no id.
            RunConflictError: the run_id is taken by another request.
            StoppingError: the runtime takes no new runs.
        """
        if request.run_id is UNSET:
            request.run_id = new_id("run")
        run_id = check_id(request.run_id, "$.run_id")
        digest_ = digest(request)
        known = self._table.find(run_id)
        if known is not None:
            if known.digest != digest_:
                raise RunConflictError(run_id)
            return known
        self._stop.check()
        run = Run(run_id, digest_, self.feed)
        self._table.add(run)
        self._executions[run_id] = execution = Execution(request, run_id, run.log, self._tools)
        self._tasks.start_soon(self._execute, run, execution)
        return run

    def get(self, run_id: str) -> Run:
        """The run with this id. Raises RunNotFoundError."""
        return self._table.get(run_id)

    def get_result(self, run_id: str) -> bytes:
        """The run's RunResult as JSON.

        Raises:
            RunNotFoundError: there is no such run.
            RunNotFinishedError: it has not ended.
        """
        run = self._table.get(run_id)
        if run.result is None:
            raise RunNotFinishedError(run_id, run.state.value)
        return run.result

    async def cancel(self, run_id: str) -> Run:
        """Cancel a run and wait, some seconds at most, until its agent has stopped. An ended run stays so.

        Raises:
            RunNotFoundError: there is no such run.
        """
        run = self._table.get(run_id)
        execution = self._executions.get(run_id)
        if execution is not None:
            if run.state is RunState.QUEUED:
                self._end(run, execution.outcome_of(RunCanceledError()))
            else:
                execution.halt(RunCanceledError())
                with anyio.move_on_after(_CANCEL_WAIT_S):
                    await run.log.wait_ended()
        return run

    async def drain(self, grace_s: float) -> None:
        """Let the runs under way end within `grace_s`, or until the stop is hurried; interrupt those that do not."""
        async with self._stop.grace(grace_s):
            await self._wait_all_ended()
        for execution in self._executions.values():
            execution.halt(RunInterruptedError())
        async with self._stop.grace(_INTERRUPT_WAIT_S):
            await self._wait_all_ended()
        for run_id, execution in list(self._executions.items()):
            self._end(self._table.get(run_id), execution.outcome_of(RunInterruptedError()))

    async def _wait_all_ended(self) -> None:
        for run_id in list(self._executions):
            await self._table.get(run_id).log.wait_ended()

    async def _execute(self, run: Run, execution: Execution) -> None:
        if run.state is not RunState.QUEUED:  # canceled in the queue
            return
        run.begin()
        outcome = await execution.perform(self._agent)
        if run.result is None:  # else its agent resisted for so long that the run was ended without it
            self._end(run, outcome)

    def _end(self, run: Run, outcome: Outcome) -> None:
        """Record result, state and last event together."""
        try:
            data, result = _describe(run.run_id, outcome)
        except (TypeError, ValueError, RecursionError) as exc:
            error = InvalidOutputError(f"The agent's output is no JSON: {exc}")
            outcome = outcome._replace(state=RunState.FAILED, output=None, error=error)
            data, result = _describe(run.run_id, outcome)
        run.end(outcome.state, result)
        ok = outcome.state is RunState.SUCCEEDED
        run.log.append(RunEventType.FINAL if ok else RunEventType.ERROR, data)
        del self._executions[run.run_id]
        self._table.note_ended(run)


@asynccontextmanager
async def open_manager(
    agent: Agent, tools: Iterable[Tool], stop: Stop, *, max_ended: int = MAX_ENDED_RUNS
) -> AsyncIterator[RunManager]:
    """A RunManager with its task group, which remembers `max_ended` ended runs. At exit, what runs is cancelled."""
    async with anyio.create_task_group() as tasks:
        manager = RunManager(agent, tools, stop, tasks, max_ended)
        tasks.start_soon(manager.feed.wake_at_close, stop)
        yield manager
        tasks.cancel_scope.cancel()


def _describe(run_id: str, outcome: Outcome) -> tuple[dict[str, object], bytes]:
    """The last event's data, and the result as JSON: the same but for the run_id."""
    result = RunResult(
        run_id=run_id,
        ok=outcome.state is RunState.SUCCEEDED,
        output=UNSET if outcome.output is None else outcome.output,
        error=UNSET if outcome.error is None else _error_detail(outcome.error),
        usage=outcome.usage,
    )
    data = result.to_dict()
    del data["run_id"]
    return data, result.to_json()


def _error_detail(error: AgentError) -> ErrorDetail:
    return ErrorDetail(
        code=error.code,
        message=error.message,
        details=UNSET if error.details is None else error.details,
        retryable=UNSET if error.retryable is None else error.retryable,
    )
