"""What installed packages offer: agents and tools in their entry points.

To read the metadata of all packages takes some milliseconds, in each instance. So it is kept, also for forks of this
process, as long as no folder of `sys.path` has changed: to install a package, or another version of it, changes one.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

# Two groups, and what was there before something was installed.
_KEPT = 4


def find_entry_points(group: str) -> EntryPoints:
    """Return those of a group, of whatever is installed now."""
    folders = tuple((folder, _changed_at(folder)) for folder in map(Path.absolute, map(Path, sys.path)))
    return _read(group, folders)


@lru_cache(_KEPT)
def _read(group: str, _folders: tuple[tuple[Path, int | None], ...]) -> EntryPoints:
    return entry_points(group=group)


def _changed_at(folder: Path) -> int | None:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return None
