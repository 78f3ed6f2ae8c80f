"""Control groups: the tree of each instance in a group of its own, where the launcher may make one.

What is in a group cannot leave it by forking, by a session of its own or by clearing its environment. So the group
is what is killed at an instance's end, and what the next launcher of the data dir sweeps; the names of all groups
stand in `run/cgroups` for that.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher.cgroup_places import Place, find_places
from arp_service.processes import ProcessStat, kill_processes, read_stat

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Cgroups", "Group", "open_cgroups"]

_logger = logging.getLogger(__name__)

# SIGKILL takes microseconds; only a process in an uninterruptible sleep takes longer.
_END_TIMEOUT = 5.0
# What the kernel counts in a group when a limit was hit: in which file, under which name, and for which limit.
_HITS = (("memory.events", "oom_kill", "memory"), ("pids.events", "max", "processes"))


class Group:
    """The groups of one instance, one in each hierarchy in use; perhaps none."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders

    @property
    def entrances(self) -> list[str]:
        """The files to which a process writes `0` to join."""
        return [str(folder / "cgroup.procs") for folder in self._folders]

    async def kill(self) -> bool:
        """Kill all that is in it, and wait for the end. False where there is no group, or something lives on."""
        try:
            with anyio.fail_after(_END_TIMEOUT):
                for folder in self._folders:
                    await _empty(folder)
        except (OSError, TimeoutError) as exc:
            _logger.warning("a control group could not be emptied: %r", exc)
            return False
        return bool(self._folders)

    def find_hits(self) -> list[str]:
        """Return the limits that were hit in it: `memory` (and something was killed), `processes`."""
        return [limit for file, name, limit in _HITS if any(_count(folder / file, name) for folder in self._folders)]

    def remove(self) -> None:
        """Remove it; one that is not empty stays, and is swept by the next launcher."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()


class Cgroups:
    """Makes the groups of one launcher. A launcher that may make none has none, and nothing fails."""

    def __init__(self, places: list[Place]) -> None:
        self._places = places
        self._numbers = count(1)

    @property
    def controllers(self) -> frozenset[str]:
        """What groups can limit here: of `cpu`, `memory` and `pids`."""
        return frozenset().union(*(place.controllers for place in self._places))

    def make(self, instance_id: str, settings: Mapping[str, str]) -> Group:
        """Return a new group; `settings` are written to its files, where a hierarchy has them.

        Raises:
            OSError: the kernel refuses it.
        """
        # No instance id holds a slash. The number keeps apart what is launched again under its id.
        name = f"{next(self._numbers)}-{instance_id}"
        folders: list[Path] = []
        group = Group(folders)
        try:
            for place in self._places:
                folder = place.folder / name
                folder.mkdir()
                folders.append(folder)
                for file, value in settings.items():
                    if (folder / file).exists():
                        (folder / file).write_text(value, encoding="ascii")
        except OSError:
            group.remove()
            raise
        return group

    def close(self) -> None:
        """Remove the folders of all groups, which are empty by now."""
        for place in self._places:
            with suppress(OSError):
                place.folder.rmdir()


async def open_cgroups(record: Path, mark: str) -> Cgroups:
    """End what an earlier launcher left in its groups, and return where this one makes its own.

    `record` is the file with the folders of the groups, `mark` the launcher's id.
    """
    name = f"arp-{mark}"
    for folder in _recorded(record, name):
        await _sweep(folder)
    places = find_places(name)
    _record(record, places)
    used = ", ".join(f"{place.folder} ({' '.join(sorted(place.controllers)) or 'no limits'})" for place in places)
    _logger.info("control groups: %s", used or "none may be made here")
    return Cgroups(places)


def _recorded(record: Path, name: str) -> list[Path]:
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [Path(line) for line in lines if Path(line).name == name]


def _record(record: Path, places: list[Place]) -> None:
    record.write_text("".join(f"{place.folder}\n" for place in places), encoding="utf-8")


async def _sweep(folder: Path) -> None:
    try:
        left = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return
    group = Group(left)
    if await group.kill():
        _logger.info("swept %d control groups of an earlier launcher", len(left))
    group.remove()
    Group([folder]).remove()


async def _empty(folder: Path) -> None:
    """Kill what is in a group until there is nothing living in it."""
    if not _living_in(folder):
        return
    # Version 1 has no such file, nor has Linux before 5.14.
    with suppress(FileNotFoundError, PermissionError):
        (folder / "cgroup.kill").write_text("1", encoding="ascii")
    await kill_processes(lambda _: _living_in(folder), _END_TIMEOUT)


def _living_in(folder: Path) -> list[ProcessStat]:
    pids = map(int, (folder / "cgroup.procs").read_text(encoding="ascii").split())
    return [stat for stat in map(read_stat, pids) if stat is not None and stat.is_living]


def _count(file: Path, name: str) -> int:
    """Return the number behind `name` in a file of counters; 0 where there is no such file."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.split()[0] == name)
