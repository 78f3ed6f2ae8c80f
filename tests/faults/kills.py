"""Killing at random moments of a load, and at random points of a start."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from support.daemon import is_alive
from support.waiting import until, until_answer

if TYPE_CHECKING:
    from random import Random
    from typing import Any

    from faults.load import Load
    from faults.scene import Scene


# An instance that has runs now is killed soon: most of them are then still at work.
_MID_RUN_S = 0.03
_MOSTLY = 0.8


async def let_work(rng: Random, longest_s: float) -> None:
    """Let the load go on until a random moment."""
    await anyio.sleep(rng.uniform(0.0, longest_s))


async def kill_daemon_under(scene: Scene, load: Load, longest_s: float) -> None:
    """SIGKILL the daemon in the middle of the load."""
    async with load.running():
        await let_work(scene.rng, longest_s)
        await scene.daemon.kill_process()
    await scene.daemon.client.aclose()


async def kill_starting_daemon(scene: Scene, longest_s: float) -> None:
    """SIGKILL a daemon that may or may not have come to listen."""
    await scene.daemon.spawn()
    await let_work(scene.rng, longest_s)
    await scene.daemon.kill_process()


async def kill_busy_instance(scene: Scene) -> float:
    """SIGKILL an instance in the middle of its runs; return the seconds until it is no longer listed."""
    busy = await until_answer(scene.daemon.instances, _find_busy)
    victim = scene.rng.choice([instance for instance in busy if instance["extensions"]["arp.runs"]])
    await let_work(scene.rng, _MID_RUN_S)
    began = anyio.current_time()
    with suppress(ProcessLookupError):
        os.kill(victim["extensions"]["arp.pid"], signal.SIGKILL)
    await until_answer(scene.daemon.instances, lambda found: victim["instance_id"] not in _ids(found))
    return anyio.current_time() - began


async def kill_instance(scene: Scene) -> None:
    """SIGKILL the one instance."""
    (instance,) = await scene.daemon.instances()
    os.kill(instance["extensions"]["arp.pid"], signal.SIGKILL)


async def kill_launcher(scene: Scene) -> float:
    """SIGKILL the launcher, mostly in the middle of runs; return the seconds until nothing that it started is left."""
    launcher = await scene.daemon.launcher()
    if scene.rng.random() < _MOSTLY:
        await until_answer(scene.daemon.instances, _find_busy)
    await let_work(scene.rng, 2 * _MID_RUN_S)
    below = [p for p in launcher.children(recursive=True) if is_alive(p)]
    launcher.kill()
    began = anyio.current_time()
    await until(lambda: not any(is_alive(process) for process in below))
    return anyio.current_time() - began


def _find_busy(instances: list[dict[str, Any]]) -> bool:
    return any(instance["extensions"]["arp.runs"] for instance in instances)


def _ids(instances: list[dict[str, Any]]) -> list[str]:
    return [instance["instance_id"] for instance in instances]
