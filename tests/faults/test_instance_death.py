"""Runs whose instance dies under them end as lost, or are tried again where their profile says so; others go on."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from faults.kills import kill_busy_instance, kill_launcher
from faults.load import Load
from faults.outcome import outcome_of
from faults.repetitions import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.scene import Scene

# A profile whose instances die five times in a minute is given up; a new version of it begins anew.
DEATHS_A_VERSION = 4
# Whoever is killed that often is killed on purpose.
RETRIES = 20


async def test_runs_of_a_killed_instance_are_lost_or_tried_again_and_no_other_run_is_touched(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """SIGKILL in mid-run: without retries a run is begun once and ends; with them it succeeds."""
    once, retried = Load(scene.daemon, "once", rate=25), Load(scene.daemon, "retried", rate=25)
    kills, seen = times(200, 10), []
    for number in range(kills):
        if number % DEATHS_A_VERSION == 0:
            await scene.put_agent(profile="once", max=2, concurrency=4)
            await scene.put_agent(profile="retried", max=2, concurrency=4, retries=RETRIES)
        async with once.running(), retried.running():
            seen.append(await kill_busy_instance(scene))
    outcome, outcome_retried = await outcome_of(scene, once), await outcome_of(scene, retried)
    tell(
        "instance kill -9",
        f"{kills} kills, {outcome}; no longer listed after {median(seen):.2f} s, {max(seen):.2f} s at most",
    )
    tell("instance kill -9, with retries", outcome_retried)
    assert outcome.odd + outcome_retried.odd == []
    assert (outcome.lost, outcome.twice, outcome_retried.lost) == (0, 0, 0)
    assert outcome.ended.keys() == {"succeeded", "instance_lost"}
    assert outcome_retried.ended == {"succeeded": len(retried.accepted)}


async def test_nothing_of_a_killed_launcher_lives_on_and_its_runs_end_or_are_tried_again(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """SIGKILL under 50 submits a second: its instances die with it, the next launcher serves what waits."""
    once, retried = Load(scene.daemon, "once", rate=25), Load(scene.daemon, "retried", rate=25)
    await scene.put_agent(profile="once", max=2, concurrency=4)
    await scene.put_agent(profile="retried", max=2, concurrency=4, retries=RETRIES)
    kills = times(50, 2)
    async with once.running(), retried.running():
        gone = [await kill_launcher(scene) for _ in range(kills)]
    outcome, outcome_retried = await outcome_of(scene, once), await outcome_of(scene, retried)
    tell(
        "launcher kill -9",
        f"{kills} kills, {outcome}; its processes gone after {median(gone):.2f} s, {max(gone):.2f} s at most",
    )
    tell("launcher kill -9, with retries", outcome_retried)
    assert outcome.odd + outcome_retried.odd == []
    assert (outcome.lost, outcome.twice, outcome_retried.lost) == (0, 0, 0)
    assert outcome.ended.keys() <= {"succeeded", "instance_lost"}
    assert outcome_retried.ended == {"succeeded": len(retried.accepted)}
