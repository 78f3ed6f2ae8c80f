"""What holds an instance within its limits on this machine: control groups, else rlimits, else nothing. Pure.

A control group counts the whole tree. An rlimit (setrlimit(2)) counts each process for itself, or all processes of
a user; where neither can hold a limit, the instance is started all the same, and its record says so.
"""

from __future__ import annotations

import math
import resource
from typing import TYPE_CHECKING, NamedTuple

from arp_daemon.launcher.protocol import Enforcement

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from arp_daemon.launcher.protocol import Limits

__all__ = ["LimitPlan", "plan_limits"]

_ROOT = 0
# The weight that every group has unless told otherwise; and what one step of niceness is worth (sched(7)).
_USUAL_WEIGHT = 100
_NICE_STEP = 1.25
_NICEST, _GREEDIEST = 19, -20


class LimitPlan(NamedTuple):
    """How limits are held: files of a control group, rlimits, niceness; and what is told of it, by limit."""

    group_files: dict[str, str]
    rlimits: dict[int, int]
    nice: int | None
    told: dict[str, Enforcement]


class _Machine(NamedTuple):
    controllers: Collection[str]
    uid: int
    count_threads: Callable[[int], int]


def plan_limits(
    limits: Limits, controllers: Collection[str], uid: int, count_threads: Callable[[int], int]
) -> LimitPlan:
    """Return how `limits` are held for an instance of user `uid`.

    `controllers` are those of control groups here, and `count_threads(uid)` how many threads a user has.
    """
    plan = LimitPlan({}, {}, None, {})
    machine = _Machine(controllers, uid, count_threads)
    if limits.memory_bytes is not None:
        _limit_memory(limits.memory_bytes, machine, plan)
    if limits.processes is not None:
        _limit_processes(limits.processes, machine, plan)
    if limits.open_files is not None:
        plan.rlimits[resource.RLIMIT_NOFILE] = limits.open_files
        plan.told["open_files"] = Enforcement(limits.open_files, "rlimit", "each process for itself")
    return plan if limits.cpu_weight is None else _weigh_cpu(limits.cpu_weight, machine, plan)


def _limit_memory(size: int, machine: _Machine, plan: LimitPlan) -> None:
    if "memory" in machine.controllers:
        # Swap would let it grow on, slowly; and half an instance that was killed is of no use.
        plan.group_files.update({"memory.max": str(size), "memory.swap.max": "0", "memory.oom.group": "1"})
        plan.told["memory_bytes"] = Enforcement(size, "cgroup")
    else:
        plan.rlimits[resource.RLIMIT_DATA] = size
        plan.told["memory_bytes"] = Enforcement(size, "rlimit", "each process for itself, which is refused more")


def _limit_processes(number: int, machine: _Machine, plan: LimitPlan) -> None:
    if "pids" in machine.controllers:
        plan.group_files["pids.max"] = str(number)
        plan.told["processes"] = Enforcement(number, "cgroup")
    elif machine.uid == _ROOT:
        plan.told["processes"] = Enforcement(number, "nothing", "no pids cgroup here, and an rlimit does not bind root")
    else:
        # The kernel counts all that the user runs, so what is there already is allowed as well.
        plan.rlimits[resource.RLIMIT_NPROC] = machine.count_threads(machine.uid) + number
        plan.told["processes"] = Enforcement(number, "rlimit", "beside what its user ran when it was started")


def _weigh_cpu(weight: int, machine: _Machine, plan: LimitPlan) -> LimitPlan:
    if "cpu" in machine.controllers:
        plan.group_files["cpu.weight"] = str(weight)
        plan.told["cpu_weight"] = Enforcement(weight, "cgroup")
        return plan
    nice = max(_GREEDIEST, min(_NICEST, round(math.log(_USUAL_WEIGHT / weight, _NICE_STEP))))
    if nice < 0 and machine.uid != _ROOT:
        plan.told["cpu_weight"] = Enforcement(weight, "nothing", "no cpu cgroup here, and only root may be less nice")
        return plan
    plan.told["cpu_weight"] = Enforcement(weight, "nice", f"niceness {nice}")
    return plan._replace(nice=nice)
