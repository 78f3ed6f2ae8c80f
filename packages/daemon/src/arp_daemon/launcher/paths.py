"""Where a launcher keeps its files, and the id by which its processes are known."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EXIT_LOCKED", "INSTANCE_ID_VARIABLE", "LAUNCHER_ID_VARIABLE", "LauncherPaths", "launcher_id"]

LAUNCHER_ID_VARIABLE = "ARP_LAUNCHER_ID"
INSTANCE_ID_VARIABLE = "ARP_INSTANCE_ID"
EXIT_LOCKED = os.EX_TEMPFAIL
"""How a launcher exits that finds another one at work."""


class LauncherPaths(NamedTuple):
    """The files of the launcher of one data dir, all readable by its user alone."""

    data_dir: Path

    @property
    def run(self) -> Path:
        """What lives as long as the launcher."""
        return self.data_dir / "run"

    @property
    def socket_name(self) -> str:
        """The name of the Unix socket in `run`. The whole path may be too long for sun_path."""
        return "launcher.sock"

    @property
    def lock(self) -> Path:
        """Locked (flock) by the one launcher of this data dir while it lives."""
        return self.run / "launcher.lock"

    @property
    def cgroups(self) -> Path:
        """The folders of the control groups in which instances are, a line each."""
        return self.run / "cgroups"

    @property
    def sockets(self) -> Path:
        """A link to the folder of instances' Unix sockets, while there are some."""
        return self.run / "sockets"

    @property
    def logs(self) -> Path:
        """The output of instances, a folder each."""
        return self.data_dir / "logs"

    @property
    def log(self) -> Path:
        """What the launcher itself has to say."""
        return self.logs / "launcher.log"

    def make(self) -> None:
        """Create the folders.

        Raises:
            OSError: the data dir is not writable.
        """
        for folder in (self.run, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def launcher_id(data_dir: Path) -> str:
    """Return the mark of all processes that any launcher of this data dir started.

    Made from the real path, so that the next launcher of the folder knows it, and the launcher of a copy of
    the folder does not touch these processes.
    """
    return hashlib.sha256(bytes(data_dir.resolve())).hexdigest()[:32]
