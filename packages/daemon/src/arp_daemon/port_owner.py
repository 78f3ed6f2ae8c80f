"""Who listens where an instance should? A stranger that was quicker must never be taken for it.

Linux: /proc/net/tcp, tcp6 and unix name each socket by its inode, and so does /proc/PID/fd of who has it (proc(5)).
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from arp_service.processes import descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.launcher import Launched

_LISTENING = "0A"
# The flag of a Unix socket that listens: __SO_ACCEPTCON.
_ACCEPTS = 0x10000
# All addresses, in both families: who listens there is called as well.
_ANY = {"0" * 8, "0" * 32}


# Between two looks at a program that is still starting: first soon, then less often.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.5
# How programs, C libraries and languages say that a port is taken (errno 98 on Linux).
_TAKEN = re.compile(
    r"address (is )?(already )?in use|EADDRINUSE|errno 98\b|port \S+ is (already )?in use", re.IGNORECASE
)


class StrangerListensError(Exception):
    """Another program listens where the instance was to listen. Nothing was sent to it."""


class Owner(Enum):
    """Whose the listening sockets at a place are."""

    NOBODY = "nobody"
    INSTANCE = "the instance and what it has started"
    STRANGER = "another program"


async def until_listening(launched: Launched) -> None:
    """Return when the instance itself listens where it was told to; the caller bounds it. Nothing is sent.

    Raises:
        StrangerListensError: another program was quicker.
    """
    pause = _FIRST_LOOK_S
    while (owner := await anyio.to_thread.run_sync(find_owner, launched)) is not Owner.INSTANCE:
        if owner is Owner.STRANGER:
            raise StrangerListensError
        await anyio.sleep(pause)
        pause = min(pause * 2, _LAST_LOOK_S)


def says_taken(said: str) -> bool:
    """Whether a program ended because its port was taken, by its last words."""
    return _TAKEN.search(said) is not None


def find_owner(launched: Launched) -> Owner:
    """Return who listens where an instance was told to. Reads files of /proc, which takes milliseconds."""
    listening = set(_at_path(launched.path) if launched.path else _at_port(launched.host or "", launched.port or 0))
    if not listening:
        return Owner.NOBODY
    return Owner.INSTANCE if listening <= set(_sockets_of(launched.pid)) else Owner.STRANGER


def _at_port(host: str, port: int) -> Iterator[str]:
    addresses = _ANY | {_as_kernel_writes(host)}
    for table in ("tcp", "tcp6"):
        for line in _lines(table):
            _, local, _, state, *rest = line.split()
            address, _, number = local.partition(":")
            if state == _LISTENING and int(number, 16) == port and address in addresses:
                yield rest[5]


def _at_path(path: str) -> Iterator[str]:
    for line in _lines("unix"):
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7] == path and int(fields[3], 16) & _ACCEPTS:
            yield fields[6]


def _lines(table: str) -> list[str]:
    try:
        return Path("/proc/net", table).read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]
    except FileNotFoundError:  # a kernel without IPv6
        return []


def _as_kernel_writes(host: str) -> str:
    """An IPv4 address as a number in the machine's byte order."""
    return f"{int.from_bytes(IPv4Address(host).packed, sys.byteorder):08X}"


def _sockets_of(pid: int) -> Iterator[str]:
    """The inodes of all sockets that a process has, or one below it."""
    for each in (pid, *(stat.pid for stat in descendants(pid))):
        with suppress(FileNotFoundError, PermissionError):
            for entry in os.scandir(f"/proc/{each}/fd"):
                with suppress(OSError):
                    kind, _, inode = os.readlink(entry.path).partition(":")  # noqa: PTH115 - no Path per descriptor
                    if kind == "socket":
                        yield inode.strip("[]")
