"""What must be true of runs, whatever happens: noted while it happens, and looked at when all is over."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from arp_daemon.wire_events import LAST_TYPES
from arp_model import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arp_daemon.store import RunRecord
    from daemon.simulation.memory_store import Disk
    from daemon.simulation.runtimes import Execution, SimRuntime

_TERMINAL = {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED}
_NEXT = {
    RunState.QUEUED: {RunState.QUEUED, RunState.RUNNING, RunState.FAILED, RunState.CANCELED},
    RunState.RUNNING: {RunState.RUNNING, *_TERMINAL},
}
_LAST = {type_.value for type_ in LAST_TYPES}


class Model:
    """The promises about runs."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self.accepted: set[str] = set()
        """Runs whose client has been told that they are taken."""
        self.liars: set[str] = set()
        """Runs of which a runtime has left out an event."""
        self._states: dict[str, RunState] = {}
        self._executions: defaultdict[str, int] = defaultdict(int)

    def note_change(self, run: RunRecord, runtimes: Iterable[SimRuntime]) -> None:
        """A commit has changed a run: states never go back, an end is the end, and canceled means that nobody works."""
        before = self._states.get(run.run_id, RunState.QUEUED)
        assert run.state in _NEXT.get(before, set()), f"{run.run_id} went from {before} to {run.state}"
        self._states[run.run_id] = run.state
        if run.state is RunState.CANCELED:
            at_work = [
                r.instance_id for r in runtimes for e in r.executions.values() if e.goal == run.run_id and e.live
            ]
            assert not at_work, f"{run.run_id} is canceled, and {at_work} work on it"

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
        state = self._states.get(execution.goal)
        assert state not in _TERMINAL, f"{execution.goal} is executed, and is {state}"

    def check_end(self, disk: Disk, runtimes: Iterable[SimRuntime]) -> None:
        """All is over: each accepted run is there once and has ended, its log is whole, and fits its result."""
        ids = [run.run_id for run in disk.runs.values()]
        assert len(ids) == len(set(ids)), f"an id is there twice: {ids}"
        assert self.accepted <= set(ids), f"lost: {self.accepted - set(ids)}"
        for run in disk.runs.values():
            assert run.state in _TERMINAL, f"{run.run_id} is {run.state} for ever"
            events = disk.events[run.position]
            assert [e.seq for e in events] == list(range(len(events))), f"{run.run_id} has a gap in its events"
            lasts = [e.seq for e in events if e.type in _LAST]
            assert lasts == [len(events) - 1], f"{run.run_id} has last events at {lasts} of {len(events)}"
            result = json.loads(run.result or b"{}")
            assert result["ok"] is (run.state is RunState.SUCCEEDED), f"{run.run_id} is {run.state} with {result}"
            if "is missing before" in str(result.get("error")):
                assert run.run_id in self.liars, f"{run.run_id} failed, though nobody left out an event"
            assert {"run_id": run.run_id, **json.loads(events[-1].event)["data"]} == result
        at_work = [r.instance_id for r in runtimes for e in r.executions.values() if e.live]
        assert not at_work, f"{at_work} work for ever"
