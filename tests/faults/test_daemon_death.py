"""An accepted run survives the daemon, whenever that dies, and is done once."""

from __future__ import annotations

from statistics import median
from time import monotonic
from typing import TYPE_CHECKING

from faults.kills import kill_daemon_under, kill_starting_daemon
from faults.load import Load
from faults.outcome import outcome_of
from faults.repetitions import IS_FULL, times

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.scene import Scene


LONGEST_S = 1.0 if IS_FULL else 0.3


async def test_no_accepted_run_is_lost_or_run_twice_when_the_daemon_is_killed(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """SIGKILL at random points under 50 submits a second, and now and then while it starts: all runs succeed, once."""
    await scene.put_agent(max=2)
    load = Load(scene.daemon)
    kills, restarts = times(200, 3), []
    for _ in range(kills):
        await kill_daemon_under(scene, load, longest_s=LONGEST_S)
        if scene.rng.random() < 0.2:
            await kill_starting_daemon(scene, longest_s=1.0)
        begun = monotonic()
        await scene.daemon.start()
        restarts.append(monotonic() - begun)
        await load.settle()
    outcome = await outcome_of(scene, load)
    tell(
        "daemon kill -9",
        f"{kills} kills, {outcome}; {load.resubmitted} submitted again; "
        f"up again after {median(restarts):.2f} s (median), {max(restarts):.2f} s (at most)",
    )
    assert outcome.odd == []
    assert (outcome.lost, outcome.twice) == (0, 0)
    assert outcome.ended == {"succeeded": len(load.accepted)}
