"""The one owner of runs: takes them, gives each its turn, ends them, remembers them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import structlog

from arp_model import UNSET, RunEventType, RunState
from arp_runtime.errors import InvalidOutputError, RunCanceledError, RunInterruptedError
from arp_runtime.records.changes import RunBegan, RunEnded, RunForgotten, RunTaken
from arp_runtime.records.opening import records_in_memory
from arp_runtime.records.trace import KeptTrace
from arp_runtime.runs.events import Feed
from arp_runtime.runs.execution import Execution
from arp_runtime.runs.restoring import interrupted
from arp_runtime.runs.results import describe
from arp_runtime.runs.table import Limits, Run, RunTable, digest
from arp_runtime.runs.turns import Capacity, Turns, concurrent_runs
from arp_service.errors import RunConflictError, RunNotFinishedError, UnavailableError
from arp_service.ids import check_id, new_id
from arp_service.info import utc_now
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from anyio.abc import TaskGroup

    from arp_model import RunRequest
    from arp_runtime.agents.kinds import LoadedAgent
    from arp_runtime.records.chronicle import Chronicle
    from arp_runtime.records.opening import Records
    from arp_runtime.records.store import StoredRun
    from arp_runtime.runs.execution import Outcome
    from arp_runtime.runs.workbench import Workbench
    from arp_service.changed import Happened
    from arp_service.stopping import Stop

# For an agent to stop its work after its run was canceled or has reached a limit.
CANCEL_GRACE_S = 5.0
# The same at the end of the process, when every run is cancelled.
_INTERRUPT_WAIT_S = 2.0
# For what has happened to a run to be on the disk.
_KEEP_S = 10.0
# At the start, for the ends of runs that an earlier process left in the middle to be on the disk.
_RESTORE_S = 30.0


class Keeping(NamedTuple):
    """How long things are kept or waited for: ended runs, and a cancelled agent in seconds."""

    ended: Limits = Limits()
    cancel_grace_s: float = CANCEL_GRACE_S


class RunManager:
    """Takes, executes, cancels and remembers runs. Made by `open_manager`."""

    def __init__(
        self,
        agent: LoadedAgent,
        bench: Workbench,
        stop: Stop,
        tasks: TaskGroup,
        capacity: Capacity,
        keeping: Keeping,
        chronicle: Chronicle,
    ) -> None:
        self.feed = Feed()
        self._chronicle = chronicle
        self._agent = agent
        self._bench = bench
        self._stop = stop
        self._tasks = tasks
        self._keeping = keeping
        self._table = RunTable(keeping.ended, lambda run_id: chronicle.tell(RunForgotten(run_id)))
        self._turns: Turns[_UnderWay] = Turns(capacity)
        self.max_concurrent = capacity.concurrent
        self._executions: dict[str, Execution] = {}
        self._abandoned: set[str] = set()

    @property
    def under_way(self) -> int:
        """How many runs are queued or running."""
        return len(self._executions)

    @property
    def waiting(self) -> int:
        """How many runs wait for their turn."""
        return self._turns.waiting

    @property
    def abandoned(self) -> int:
        """How many agents are still at work although their run has ended without them."""
        return len(self._abandoned)

    def create(self, request: RunRequest) -> Run:
        """Take a run, and have it executed soon. An equal request with the same id gives the same run again.

        Raises:
            InvalidRequestError: the run_id is no id.
            RunConflictError: the run_id is taken by another request.
            StoppingError, UnavailableError: the runtime takes no new runs.
            OverloadedError: it takes no more runs for the moment.
            StoreUnavailableError: the run could not be kept.

        Tell nobody of the run before `wait_kept` has returned.
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
        self._check_ready()
        run = Run(run_id, digest_, self.feed, self._chronicle)
        bench = replace(self._bench, trace=KeptTrace(run, self._chronicle, self._bench.trace))
        execution = Execution(request, run_id, run.log, bench, partial(self._on_halt, run))
        self._table.add(run)
        self._executions[run_id] = execution
        self._chronicle.tell(RunTaken(run_id, run.taken_at, digest_, request), run.kept.set)
        self._turns.line_up(run_id, _UnderWay(run, execution))
        self._start_next()
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
        """Cancel a run and wait until it has ended: when its agent has stopped, or the grace for that is over.

        An ended run stays as it is.

        Raises:
            RunNotFoundError: there is no such run.
            StoreUnavailableError: it ends, and the disk does not take that now.
        """
        run = self._table.get(run_id)
        execution = self._executions.get(run_id)
        if execution is not None:
            if run.state is RunState.QUEUED:
                self._end(run, execution.never_begun(RunCanceledError()))
            else:
                execution.halt(RunCanceledError())
            await self._until_shown(execution.ended, self._keeping.cancel_grace_s + _KEEP_S)
        return run

    async def wait_kept(self, run: Run) -> None:
        """Return when clients may be told of a run that was taken.

        Raises:
            StoreUnavailableError: the disk does not take it now; what becomes of it is seen by the same request again.
        """
        if not run.kept.is_set():
            await self._until_shown(run.kept, _KEEP_S)

    async def drain(self, grace_s: float) -> None:
        """Let the runs under way end within `grace_s`, or until the stop is hurried; interrupt those that do not."""
        async with self._stop.grace(grace_s):
            await self._wait_all_ended()
        for run, execution in self._not_ending():
            if run.state is RunState.QUEUED:
                self._end(run, execution.never_begun(RunInterruptedError()))
            else:
                execution.halt(RunInterruptedError())
        async with self._stop.grace(_INTERRUPT_WAIT_S):
            await self._wait_all_ended()
        for run, execution in self._not_ending():
            self._end(run, await execution.end_halted())

    def _check_ready(self) -> None:
        self._stop.check()
        if self._abandoned:
            raise UnavailableError("The agent of an ended run is still at work; this runtime is to be replaced.")
        self._turns.check_room()
        self._chronicle.check()

    def _not_ending(self) -> list[tuple[Run, Execution]]:
        found = [(self._table.get(run_id), execution) for run_id, execution in self._executions.items()]
        return [(run, execution) for run, execution in found if not run.is_ending]

    async def _until_shown(self, event: Happened, within_s: float) -> None:
        """A disk that refuses is not waited for without end; once it takes things again, they are shown."""
        with anyio.move_on_after(within_s):
            await event.wait()
            return
        raise StoreUnavailableError("The store does not take what has happened to the run; ask again in a moment.")

    async def _wait_all_ended(self) -> None:
        for execution in list(self._executions.values()):
            await execution.ended.wait()

    def _start_next(self) -> None:
        for run, execution in self._turns.next_ones():
            self._tasks.start_soon(self._execute, run, execution)

    async def _execute(self, run: Run, execution: Execution) -> None:
        structlog.contextvars.bind_contextvars(run_id=run.run_id)
        if not run.is_ending:  # else canceled before its turn had begun
            self._chronicle.tell(RunBegan(run.run_id, run.begin()))
            if execution.timeout_s is not None:
                self._tasks.start_soon(self._halt_at_timeout, run, execution, execution.timeout_s)
            outcome = await execution.perform(self._agent.call)
            if not run.is_ending:  # else its agent resisted for so long that the run was ended without it
                self._end(run, outcome)
        self._abandoned.discard(run.run_id)
        self._turns.done()
        self._start_next()

    async def _halt_at_timeout(self, run: Run, execution: Execution, timeout_s: float) -> None:
        with anyio.move_on_after(timeout_s):
            await execution.ended.wait()
        if not run.is_ending:
            execution.halt_for_timeout()

    def _on_halt(self, run: Run) -> None:
        if (execution := self._executions.get(run.run_id)) is not None:  # else its agent goes on after the run's end
            self._tasks.start_soon(self._abandon_after_grace, run, execution)

    async def _abandon_after_grace(self, run: Run, execution: Execution) -> None:
        """Nothing ends an agent that does not let itself be ended; its run ends all the same."""
        with anyio.move_on_after(self._keeping.cancel_grace_s):
            await execution.ended.wait()
        if run.is_ending:
            return
        outcome = await execution.end_halted()
        if not run.is_ending:  # else its agent has stopped in between
            self._abandoned.add(run.run_id)
            self._end(run, outcome, abandoned=True)

    async def restore(self, stored: Sequence[StoredRun]) -> None:
        """Take over the runs of an earlier process, before any are served; return when all of them have ended.

        Raises:
            StoreUnavailableError: the ends of those that were interrupted could not be written.
        """
        restored = [await self._restore(each) for each in stored]
        with anyio.move_on_after(_RESTORE_S):
            for run in restored:
                await run.log.wait_ended()
        self._chronicle.check()

    async def _restore(self, stored: StoredRun) -> Run:
        """One that had not ended was interrupted."""
        run = Run(stored.run_id, stored.digest, self.feed, self._chronicle)
        run.restore(stored)
        self._table.add(run)
        if run.result is None:
            outcome = await interrupted(run.run_id, stored.events, self._bench.artifacts)
            self._tell_end(run, outcome.state, *describe(run.run_id, outcome))
        else:
            self._table.note_ended(run)
        return run

    def _end(self, run: Run, outcome: Outcome, *, abandoned: bool = False) -> None:
        """A run under way has come to its end; there is just one."""
        if run.is_ending:
            return
        try:
            data, result = describe(run.run_id, outcome, abandoned=abandoned)
        except (TypeError, ValueError, RecursionError) as exc:
            error = InvalidOutputError(f"The agent's last words are no JSON: {exc}")
            outcome = self._executions[run.run_id].without_output(error)
            data, result = describe(run.run_id, outcome, abandoned=abandoned)
        self._turns.leave(run.run_id)
        self._tell_end(run, outcome.state, data, result)

    def _tell_end(self, run: Run, state: RunState, data: dict[str, Any], result: bytes) -> None:
        """Record last event, state and result together, and show them together."""
        run.is_ending = True
        run.log.append(RunEventType.FINAL if state is RunState.SUCCEEDED else RunEventType.ERROR, data)
        change = RunEnded(run.run_id, utc_now(), state, result, run.began_at)
        self._chronicle.tell(change, partial(self._show_end, run, change))

    def _show_end(self, run: Run, change: RunEnded) -> None:
        run.end(change.state, change.result, change.at)
        if (execution := self._executions.pop(run.run_id, None)) is not None:
            execution.ended.set()
        self._table.note_ended(run)


class _UnderWay(NamedTuple):
    run: Run
    execution: Execution


@asynccontextmanager
async def open_manager(
    agent: LoadedAgent,
    bench: Workbench,
    stop: Stop,
    capacity: Capacity | None = None,
    keeping: Keeping | None = None,
    records: Records | None = None,
) -> AsyncIterator[RunManager]:
    """A RunManager with its task group. At exit, what runs is cancelled.

    Without a capacity, as many runs execute at once as suits the agent; without records, all is in memory.
    """
    capacity = capacity or Capacity(concurrent_runs(agent.workplace))
    records = records or records_in_memory()
    async with anyio.create_task_group() as tasks:
        manager = RunManager(agent, bench, stop, tasks, capacity, keeping or Keeping(), records.chronicle)
        await manager.restore(records.stored)
        tasks.start_soon(manager.feed.wake_at_close, stop)
        yield manager
        tasks.cancel_scope.cancel()
