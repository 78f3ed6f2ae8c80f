"""What confines a new process, applied by itself between fork and exec (or before a template's function)."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from arp_daemon.launcher.prctl import renounce_new_privileges
from arp_daemon.launcher.users import User, become_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

__all__ = ["Confinement"]

# With autogroups, niceness counts within a session only, and the session has one of its own (sched(7)). The kernel
# lets users other than root set it ten times a second, all together.
_AUTOGROUP = Path("/proc/self/autogroup")
_AUTOGROUP_TRIES, _AUTOGROUP_PAUSE = 20, 0.1


class Confinement(NamedTuple):
    """The groups to join, the limits to take on, and the user to become. Plain values: it travels as JSON."""

    entrances: Sequence[str] = ()
    rlimits: Mapping[int, int] = MappingProxyType({})
    nice: int | None = None
    user: User | None = None

    @classmethod
    def from_json(cls, value: list[Any]) -> Self:
        """Return what was sent as JSON."""
        entrances, rlimits, nice, user = value
        limits = {int(name): limit for name, limit in rlimits.items()}
        return cls(entrances, limits, nice, None if user is None else User(*user))

    def enter(self) -> None:
        """Join the groups, and be nice. First of all, so that nothing is done outside.

        Raises:
            OSError: the kernel refuses.
        """
        for entrance in self.entrances:
            Path(entrance).write_bytes(b"0")
        if self.nice is not None:
            os.setpriority(os.PRIO_PROCESS, 0, self.nice)
            _set_autogroup(self.nice)

    def apply(self) -> None:
        """Take on the limits and become the user. After descriptors are placed, for they may be limited.

        Raises:
            OSError, ValueError: the kernel refuses.
        """
        for name, limit in self.rlimits.items():
            resource.setrlimit(name, (limit, limit))
        if self.user is not None:
            become_user(self.user)
            renounce_new_privileges()


def _set_autogroup(nice: int) -> None:
    for _ in range(_AUTOGROUP_TRIES):
        try:
            _AUTOGROUP.write_bytes(b"%d" % nice)
        except FileNotFoundError:
            return
        except BlockingIOError:
            time.sleep(_AUTOGROUP_PAUSE)
        else:
            return
    raise TimeoutError("the session's niceness cannot be set")
