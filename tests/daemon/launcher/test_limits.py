"""Limits: who holds them on which machine, and what becomes of who goes over them."""

from __future__ import annotations

import math
import os
import resource
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_daemon.launcher import LaunchFailedError
from arp_daemon.launcher.limits import plan_limits
from arp_daemon.launcher.protocol import Enforcement, Limits
from daemon.launcher.scene import (
    SOON,
    WAYS,
    Way,
    ask,
    find_controllers,
    launcher_without_groups,
    running_launcher,
    spec,
)

if TYPE_CHECKING:
    from pathlib import Path

    from arp_daemon.launcher.limits import LimitPlan

_MIB = 1024 * 1024
_ROOT, _SOMEBODY = 0, 1000
_ALL = Limits(memory_bytes=64 * _MIB, processes=20, open_files=100, cpu_weight=50)
_FILES = {"open_files": "rlimit"}
_needs_pids = pytest.mark.skipif("pids" not in (find_controllers() or ()), reason="no pids cgroup may be made here")


def _plan(limits: Limits, *controllers: str, uid: int = _SOMEBODY) -> LimitPlan:
    return plan_limits(limits, controllers, uid, lambda _uid: 7)


def _held_by(plan: LimitPlan) -> dict[str, str]:
    return {name: told.by for name, told in plan.told.items()}


def test_control_groups_hold_limits_where_there_are_some() -> None:
    """Issue 3: cgroups where allowed."""
    plan = _plan(_ALL, "memory", "pids", "cpu")
    assert _held_by(plan) == {
        "memory_bytes": "cgroup",
        "processes": "cgroup",
        "open_files": "rlimit",
        "cpu_weight": "cgroup",
    }
    assert plan.group_files["memory.max"] == str(64 * _MIB)
    assert (plan.group_files["pids.max"], plan.group_files["cpu.weight"]) == ("20", "50")
    assert plan.rlimits == {resource.RLIMIT_NOFILE: 100}
    assert plan.nice is None


def test_rlimits_hold_them_otherwise_beside_what_the_user_has() -> None:
    """Issue 3: rlimits otherwise. The kernel counts all threads of a user, so those that are there are allowed too."""
    plan = _plan(_ALL)
    assert _held_by(plan) == {
        "memory_bytes": "rlimit",
        "processes": "rlimit",
        "open_files": "rlimit",
        "cpu_weight": "nice",
    }
    wanted = {resource.RLIMIT_DATA: 64 * _MIB, resource.RLIMIT_NPROC: 27, resource.RLIMIT_NOFILE: 100}
    assert plan.rlimits == wanted
    assert plan.group_files == {}


def test_what_nothing_can_hold_is_said_and_not_passed_over() -> None:
    """Trap: RLIMIT_NPROC does not bind root; and only root may be less nice than others."""
    plan = _plan(_ALL, uid=_ROOT)
    assert plan.told["processes"].by == "nothing"
    assert resource.RLIMIT_NPROC not in plan.rlimits
    assert _plan(Limits(cpu_weight=200)).told["cpu_weight"].by == "nothing"
    assert _plan(Limits(cpu_weight=200), uid=_ROOT).nice == -3


@pytest.mark.parametrize("weight", [1, 10, 50, 99, 100, 101, 500, 10_000])
def test_niceness_is_worth_what_the_weight_is_within_the_kernels_bounds(weight: int) -> None:
    """sched(7): a step of niceness is a quarter more or less."""
    nice = _plan(Limits(cpu_weight=weight), uid=_ROOT).nice
    assert nice is not None
    if -20 < nice < 19:
        assert abs(math.log(weight / 100 * 1.25**nice)) <= math.log(1.25) / 2
    else:
        assert nice == (19 if weight < 100 else -20)


def test_no_limits_are_no_limits() -> None:
    """A profile that says nothing gets what there is."""
    assert _plan(Limits(), "memory", "pids", "cpu") == _plan(Limits()) == ({}, {}, None, {})


@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_is_held_to_its_limits_and_its_record_says_by_what(tmp_path: Path, way: Way) -> None:
    """Issue 3: the same for an exec and for a fork of a template."""
    limits = Limits(memory_bytes=512 * _MIB, open_files=77, cpu_weight=50)
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "tell_limits", way=way, limits=limits))
        facts = await ask(launched)
        assert (await launcher.list())[0].launched == launched
    assert facts["limits"]["RLIMIT_NOFILE"] == [77, 77]
    if launched.limits["memory_bytes"].by == "rlimit":
        assert facts["limits"]["RLIMIT_DATA"] == [512 * _MIB, 512 * _MIB]
    if launched.limits["cpu_weight"].by == "nice":
        assert facts["nice"] == 3
    assert launched.limits["open_files"] == Enforcement(77, "rlimit", "each process for itself")


@_needs_pids
@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_that_multiplies_stops_at_its_limit_and_dies_whole(tmp_path: Path, way: Way) -> None:
    """Issue 3: a fork bomb is bounded, and its end says that it hit its limit."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "multiply", "60", way=way, limits=Limits(processes=20)))
        assert (await ask(launched))["children"] == 19
        with anyio.fail_after(SOON):
            exited = await launcher.stop("i1", grace_s=0.0)
    assert exited.hits == ["processes"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_that_takes_too_much_memory_ends_and_its_end_says_why(tmp_path: Path, way: Way) -> None:
    """Issue 3: a group is killed, and named as the reason; an rlimit refuses more, which the program says itself."""
    async with running_launcher(tmp_path) as launcher:
        limits = Limits(memory_bytes=192 * _MIB)
        await launcher.launch(spec("i1", "gorge", "400", way=way, listen=None, limits=limits))
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
    assert exited.hits == ["memory"] or "MemoryError" in exited.stderr_tail


@pytest.mark.parametrize("way", WAYS)
async def test_without_groups_an_rlimit_stops_who_multiplies(tmp_path: Path, way: Way) -> None:
    """Issue 3: rlimits otherwise. It counts all that the user runs; root is bound by none, and is told so."""
    user = "nobody" if os.geteuid() == 0 else None
    async with launcher_without_groups(tmp_path) as launcher:
        launched = await launcher.launch(
            spec("i1", "multiply", "60", way="template", limits=Limits(processes=20), user=user)
        )
        assert (await ask(launched))["children"] < 60
        assert launched.limits["processes"].by == "rlimit"
        told = await launcher.launch(spec("i2", "echo", way=way, limits=Limits(processes=20)))
        assert told.limits["processes"].by == ("rlimit" if os.geteuid() else "nothing")


async def test_a_limit_that_the_kernel_refuses_fails_the_launch(tmp_path: Path) -> None:
    """No instance runs with less than its profile asked for, unsaid."""
    async with running_launcher(tmp_path) as launcher:
        with pytest.raises(LaunchFailedError, match="Cannot set up the process"):
            await launcher.launch(spec("i1", "echo", limits=Limits(open_files=2**40)))
        assert await launcher.list() == []
