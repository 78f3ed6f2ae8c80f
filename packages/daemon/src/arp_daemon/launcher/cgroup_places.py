"""Where on this machine the launcher may make control groups, and what such groups can limit (cgroups(7)).

Version 2 is used wherever a group can be made below the launcher's own, because a group ends whole, at one word.
What it can limit depends on the controllers: the kernel gives them only to groups below one that has no processes
of its own, so a service manager has to hand such a group over (systemd: `Delegate=yes`). Of version 1 only `pids`
is used, because nothing else bounds a fork bomb of root's; its other controllers are the past.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Place", "find_places", "own_groups"]

V2 = ""
_PIDS = "pids"
_CONTROLLERS = ("cpu", "memory", "pids")
# systemd marks the groups that it hands over: whoever runs there divides them as he likes.
_DELEGATED = "user.delegate"
# Where the processes of a group that was handed over go, to make room for groups beside them.
_SERVICES = "arp-services"


class Place(NamedTuple):
    """A folder below which groups are made, and the controllers that they have."""

    folder: Path
    controllers: frozenset[str]


def find_places(name: str) -> list[Place]:
    """Make, or find, the folder `name` in each usable hierarchy: that of version 2 first. Empty where there is none."""
    groups = own_groups(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"))
    places = []
    if V2 in groups and (place := _make_v2(groups[V2], name)):
        places.append(place)
    has_pids = any(_PIDS in place.controllers for place in places)
    if not has_pids and _PIDS in groups and (place := _make_v1(groups[_PIDS], name)):
        places.append(place)
    return places


def own_groups(mountinfo: str, own: str) -> dict[str, Path]:
    """Return the folder of the reader's own group in each mounted hierarchy: by controller, `""` for version 2.

    The arguments are /proc/self/mountinfo (proc(5)) and /proc/self/cgroup.
    """
    mounts = {name: mount for line in mountinfo.splitlines() for name, mount in _read_mount(line)}
    groups = {}
    for line in own.splitlines():
        _number, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            if name in mounts:
                root, folder = mounts[name]
                # A container may see a part of the hierarchy, mounted as if it were the whole.
                with suppress(ValueError):
                    groups[name] = folder / Path(path).relative_to(root)
    return groups


def _read_mount(line: str) -> list[tuple[str, tuple[Path, Path]]]:
    before, _, after = line.partition(" - ")
    root, folder = before.split()[3:5]
    kind, _source, options = after.split()[:3]
    names = {"cgroup2": [V2], "cgroup": options.split(",")}.get(kind, [])
    return [(name, (Path(root), Path(folder))) for name in names]


def _make_v2(own: Path, name: str) -> Place | None:
    base = own.parent if _is_delegated(own.parent) else own
    folder = base / name
    try:
        folder.mkdir(exist_ok=True)
        # Without these a process could not be moved there.
        if not all(os.access(group / "cgroup.procs", os.W_OK) for group in (own, base, folder)):
            folder.rmdir()
            return None
        offered = (base / "cgroup.controllers").read_text(encoding="ascii").split()
    except OSError:
        return None
    controllers = {controller for controller in _CONTROLLERS if controller in offered and _enable(base, controller)}
    return Place(folder, frozenset(c for c in controllers if _enable(folder, c)))


def _enable(group: Path, controller: str) -> bool:
    """Give a controller to the groups below `group`."""
    for _ in range(2):
        try:
            (group / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
        except OSError:
            if not (_is_delegated(group) and _make_room(group)):
                return False
        else:
            return True
    return False


def _make_room(group: Path) -> bool:
    """Move the processes of a group that was handed over into one below it."""
    try:
        (group / _SERVICES).mkdir(exist_ok=True)
        for pid in (group / "cgroup.procs").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):
                (group / _SERVICES / "cgroup.procs").write_text(pid, encoding="ascii")
    except OSError:
        return False
    return True


def _make_v1(own: Path, name: str) -> Place | None:
    folder = own / name
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return Place(folder, frozenset({_PIDS}))


def _is_delegated(group: Path) -> bool:
    try:
        return os.getxattr(group, _DELEGATED) == b"1"
    except OSError:
        return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
