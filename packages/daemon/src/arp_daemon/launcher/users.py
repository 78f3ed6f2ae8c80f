"""Another user for an instance: who that is, and becoming him between fork and exec."""

from __future__ import annotations

import os
import pwd
from typing import NamedTuple

from arp_daemon.launcher.errors import InvalidSpecError

__all__ = ["User", "become_user", "find_user"]

_ROOT = 0


class User(NamedTuple):
    """A user of this machine, as the kernel and programs know him."""

    uid: int
    gid: int
    groups: list[int]
    name: str
    home: str

    @property
    def variables(self) -> dict[str, str]:
        """What a login would set."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def find_user(name: str | None) -> User | None:
    """Return the user `name` (a name or a number), or None where that is the one that this process runs as.

    Raises:
        InvalidSpecError: there is no such user, or this process may not start anything as him.
    """
    if name is None:
        return None
    try:
        entry = pwd.getpwuid(int(name)) if name.isascii() and name.isdigit() else pwd.getpwnam(name)
    except (KeyError, OverflowError, ValueError) as exc:
        raise InvalidSpecError(f"user: this machine has no user {name!r}.") from exc
    own = os.geteuid()
    if entry.pw_uid == own:
        return None
    if own != _ROOT:
        raise InvalidSpecError(f"user: {name!r}: only a daemon that runs as root starts instances as another user.")
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return User(entry.pw_uid, entry.pw_gid, groups, entry.pw_name, entry.pw_dir)


def become_user(user: User) -> None:
    """Be this user for good: groups, group and user, real, effective and saved.

    Clears the parent-death signal.

    Raises:
        OSError: the kernel refuses.
    """
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
