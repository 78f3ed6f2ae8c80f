"""SIGTERM in the middle of work and watching."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio

from faults.repetitions import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.scene import Scene

RUNS = 50


async def test_a_daemon_that_is_told_to_stop_ends_all_runs_and_streams_in_order(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """50 runs, half of which never end by themselves, and 50 streams: exit 0, each stream ends cleanly, none is cut.

    What ended in the grace succeeded; the rest is lost, which its stream tells; the next daemon has nothing open.
    """
    rounds, ends = times(20, 1), Counter(dict[str, int]())
    for _ in range(rounds):
        await scene.daemon.stop()
        await scene.daemon.start("--drain-grace-s", "0.5")
        await scene.put_agent("recorded", profile="ending", max=1)
        await scene.put_agent("waiting", profile="endless", max=1, stop_grace_s=0.1)
        profiles = ("ending", "endless") * (RUNS // 2)
        run_ids = [await scene.daemon.submit("x-1", runtime_selector={"runtime_profile": name}) for name in profiles]
        lasts: list[dict[str, Any]] = []
        watching = anyio.Event()
        async with anyio.create_task_group() as tasks:
            for run_id in run_ids:
                tasks.start_soon(_watch, scene, run_id, lasts, watching)
            await watching.wait()
            scene.daemon.process.terminate()
        assert await scene.daemon.process.wait() == 0
        await scene.daemon.stop()
        await scene.daemon.start()
        assert len(lasts) == RUNS
        states = Counter([(await scene.daemon.get(f"/v1/runs/{run_id}"))["state"] for run_id in run_ids])
        assert states["running"] + states["queued"] == 0
        ends += states
    told = ", ".join(f"{count} {state}" for state, count in ends.items())
    tell("SIGTERM with 50 runs and 50 streams", f"{rounds} times: exit 0, no stream cut; {told}")


async def _watch(scene: Scene, run_id: str, lasts: list[dict[str, Any]], watching: anyio.Event) -> None:
    """Follow to a clean end; a stream that is cut raises."""
    event: dict[str, Any] = {}
    async for event in scene.daemon.follow(run_id):
        if event["type"] == "step":
            watching.set()
    lasts.append(event)
