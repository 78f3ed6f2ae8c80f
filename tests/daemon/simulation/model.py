"""What must be true of runs, whatever happens: noted while it happens, and looked at when all is over."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arp_daemon.wire_events import LAST_TYPES
from arp_model import RunRequest, RunState
from daemon.simulation.runtimes import TIME_OVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arp_daemon.exec_spec import ExecSpec
    from arp_daemon.store import RunRecord
    from daemon.simulation.memory_store import Disk
    from daemon.simulation.runtimes import Execution, SimRuntime

_TERMINAL = {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED}
_NEXT = {
    RunState.QUEUED: {RunState.QUEUED, RunState.RUNNING, RunState.FAILED, RunState.CANCELED},
    RunState.RUNNING: {RunState.RUNNING, *_TERMINAL},
}
# How long after its time a run may end: the daemon may crash a few times meanwhile, and its store may be slow.
_SOON = timedelta(seconds=30)
_LAST = {type_.value for type_ in LAST_TYPES}


class Model:
    """The promises about runs."""

    def __init__(self, spec: ExecSpec) -> None:
        self._retries = spec.retries
        self.timeouts_ms: dict[str, int | None] = {}
        """How long the work on each goal may take."""
        self.accepted: set[tuple[str, str]] = set()
        """What clients have been told: this run is to reach that goal."""
        self.liars: set[str] = set()
        """Goals of which a runtime has left out an event."""
        self._states: dict[str, RunState] = {}
        self._executions: defaultdict[str, int] = defaultdict(int)

    def note_change(self, run: RunRecord, runtimes: Iterable[SimRuntime]) -> None:
        """A commit has changed a run: states never go back, an end is the end, and canceled means that nobody works."""
        goal = _goal_of(run)
        before = self._states.get(goal, RunState.QUEUED)
        assert run.state in _NEXT.get(before, set()), f"{goal} went from {before} to {run.state}"
        self._states[goal] = run.state
        if run.state is RunState.CANCELED:
            at_work = [
                r.instance_id
                for r in runtimes
                for e in r.executions.values()
                if e.goal == goal and e.live and not e.late
            ]
            assert not at_work, f"{goal} is canceled, and {at_work} work on it"

    def note_crash(self, runtimes: Iterable[SimRuntime]) -> None:
        """A daemon crashes: that work on what has ended was to be stopped is known to nobody any more."""
        for execution in (e for runtime in runtimes for e in runtime.executions.values()):
            execution.forgotten |= execution.endless and self._states.get(execution.goal) in _TERMINAL

    def note_sending(self, goal: str) -> None:
        """A runtime is called: what has ended is sent to none."""
        state = self._states.get(goal)
        assert state not in _TERMINAL, f"{goal} is sent, and is {state}"

    def note_execution(self, runtime: SimRuntime, execution: Execution, runtimes: Iterable[SimRuntime]) -> None:
        """A runtime begins: nobody else is at it, and it is not done more often than retries allow."""
        others = [
            other.instance_id
            for other in runtimes
            for e in other.executions.values()
            if e is not execution and e.goal == execution.goal and e.live
        ]
        assert not others, f"{execution.goal} is executed by {runtime.instance_id}, and by {others}"
        self._executions[execution.goal] += 1
        assert self._executions[execution.goal] <= self._retries + 1, f"{execution.goal} is executed too often"

    def check_end(self, disk: Disk, runtimes: Iterable[SimRuntime]) -> None:
        """All is over: each accepted run is there once and has ended, its log is whole, and fits its result."""
        goals = {run.run_id: _goal_of(run) for run in disk.runs.values()}
        assert len(disk.runs) == len(goals), f"an id is there twice: {goals}"
        assert len(goals) == len(set(goals.values())), f"two runs for one request: {goals}"
        assert self.accepted <= goals.items(), f"lost: {self.accepted - goals.items()}"
        for run in disk.runs.values():
            assert run.state in _TERMINAL, f"{run.run_id} is {run.state} for ever"
            stored = disk.events[run.position]
            types = [type_ for some in stored for type_ in some.types]
            events = [json.loads(event) for some in stored for event in some.each()]
            assert [e["seq"] for e in events] == list(range(len(types))), f"{run.run_id} has a gap in its events"
            assert [e["type"] for e in events] == types, f"{run.run_id} has events under the wrong types"
            lasts = [seq for seq, type_ in enumerate(types) if type_ in _LAST]
            assert lasts == [len(events) - 1], f"{run.run_id} has last events at {lasts} of {len(events)}"
            result = json.loads(run.result or b"{}")
            assert result["ok"] is (run.state is RunState.SUCCEEDED), f"{run.run_id} is {run.state} with {result}"
            if "is missing before" in str(result.get("error")):
                assert goals[run.run_id] in self.liars, f"{run.run_id} failed, though nobody left out an event"
            assert {"run_id": run.run_id, **events[-1]["data"]} == result
            self._check_time(run, result)
        at_work = {r.instance_id: e for r in runtimes for e in r.executions.values() if e.live and not e.forgotten}
        assert not at_work, f"these work for ever: {at_work}"

    def _check_time(self, run: RunRecord, result: dict[str, Any]) -> None:
        """A run whose time is over ends soon, and says so; no other does."""
        timeout_ms = self.timeouts_ms[_goal_of(run)]
        if run.started_at is None or run.ended_at is None:
            return
        took = run.ended_at - run.started_at
        if timeout_ms is not None:
            late = took - timedelta(milliseconds=timeout_ms)
            assert late < _SOON, f"{run.run_id} goes on {late} after its time"
        if result.get("error", {}).get("code") == TIME_OVER:
            assert timeout_ms is not None, f"{run.run_id} has no time that could be over"
            assert took >= timedelta(milliseconds=timeout_ms), f"{run.run_id} ends before its time is over"


def _goal_of(run: RunRecord) -> str:
    return RunRequest.from_json(run.request).input_.goal
