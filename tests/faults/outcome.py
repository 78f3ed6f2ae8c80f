"""What became of the runs that a load was promised, as the daemon tells it and as the agents wrote it down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from faults.load import Load
    from faults.scene import Scene

_AT_ONCE = 16
_LAST = ("final", "error")


@dataclass
class Outcome:
    """Counted by how the runs ended; `odd` names those that broke a promise."""

    accepted: int
    ended: Counter[str] = field(default_factory=Counter)
    """By state, or by the error's code where it failed."""
    states: dict[str, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    """Executions that agents wrote down, by run."""

    @property
    def twice(self) -> int:
        """Runs that agents began more than once."""
        return sum(count > 1 for count in self.begun.values())

    @property
    def lost(self) -> int:
        """Accepted runs that did not end."""
        return self.accepted - self.ended.total()

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {state}" for state, count in self.ended.most_common())
        return f"{self.accepted} accepted, {self.lost} lost, {self.twice} run twice; {ends}"


async def outcome_of(scene: Scene, load: Load) -> Outcome:
    """Wait for the end of every accepted run, and hold its whole log against the promises."""
    run_ids = sorted(load.accepted)
    outcome = Outcome(len(run_ids))
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def look_at(run_id: str) -> None:
        async with limiter:
            await _judge(scene, run_id, outcome)

    async with anyio.create_task_group() as tasks:
        for run_id in run_ids:
            tasks.start_soon(look_at, run_id)
    outcome.begun = scene.ledger.count("begin", of=load.profile)
    ended = scene.ledger.count("end", of=load.profile)
    outcome.odd += [f"{run_id} was executed, and never accepted" for run_id in outcome.begun.keys() - set(run_ids)]
    outcome.odd += [
        f"{run_id} succeeded, and its agent never came to an end"
        for run_id, state in outcome.states.items()
        if state == "succeeded" and not ended[run_id]
    ]
    return outcome


async def _judge(scene: Scene, run_id: str, outcome: Outcome) -> None:
    events = await scene.daemon.events(run_id)
    status = await scene.daemon.get(f"/v1/runs/{run_id}")
    seqs = [event["seq"] for event in events]
    lasts = [event["type"] for event in events if event["type"] in _LAST]
    if seqs != list(range(len(seqs))):
        outcome.odd.append(f"{run_id} has a gap: {seqs}")
    if len(lasts) != 1 or events[-1]["type"] != lasts[0]:
        outcome.odd.append(f"{run_id} has {len(lasts)} last events")
    state = str(status["state"])
    code = events[-1]["data"].get("error", {}).get("code")
    outcome.ended[state if code is None else code] += 1
    outcome.states[run_id] = state
