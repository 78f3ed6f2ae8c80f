"""Facts about processes, and the sure end of whole process trees (Linux: proc(5), pidfd_open(2)).

A pid alone names nobody: the kernel gives it out again. A process is named here by pid, start time and boot
id, and is signalled only through a pidfd whose process was compared with that name.

Ending a tree is freeze and kill. What is stopped cannot fork, so a scan that finds everything stopped has
seen everything; then it is killed, and scanned for again until nothing living is left. (A process to be stopped
may still end a fork that is under way. So a stop counts when it is seen, and not when it is sent.)
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "ProcessIdentity",
    "ProcessStat",
    "Stats",
    "boot_id",
    "count_threads",
    "descendants",
    "find_marked",
    "identify",
    "is_alive",
    "kill_marked",
    "kill_processes",
    "kill_tree",
    "list_stats",
    "read_stat",
    "send_signal",
    "wait_exit",
]

# Scans that one freeze may take until every process is seen stopped; a process in an uninterruptible sleep
# never is, and the kill that follows must not wait for it.
_FREEZE_SCANS = 8
# The bound on ending a tree. SIGKILL takes microseconds; only uninterruptible sleep takes longer.
_KILL_TIMEOUT = 5.0
# More than the longest line of /proc/PID/stat.
_STAT_BYTES = 4096
_STOPPED = "Tt"
_DEAD = "ZXx"


class ProcessIdentity(msgspec.Struct, frozen=True):
    """The name of one process, of this boot or an earlier one.

    `start_time` is in clock ticks since boot, as field 22 of /proc/PID/stat has it.
    """

    pid: int
    start_time: int
    boot_id: str


class ProcessStat(NamedTuple):
    """One line of /proc/PID/stat, as far as it is of use here."""

    pid: int
    state: str
    ppid: int
    session: int
    start_time: int
    threads: int

    @property
    def is_living(self) -> bool:
        """Whether the process still runs or can run again: a zombie does not."""
        return self.state not in _DEAD

    @property
    def identity(self) -> ProcessIdentity:
        """The name of this process."""
        return ProcessIdentity(self.pid, self.start_time, boot_id())


Stats = dict[int, ProcessStat]


@cache
def boot_id() -> str:
    """Return the id that the kernel gave this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_stat(pid: int) -> ProcessStat | None:
    """Return what the kernel says of `pid`, or None where there is no such process."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        line = os.read(fd, _STAT_BYTES)
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    # The second field is the program's name in parentheses, and may itself hold spaces and parentheses.
    fields = line[line.rindex(b")") + 2 :].split(maxsplit=20)
    return ProcessStat(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]), int(fields[17]))


def list_stats() -> Stats:
    """Return what the kernel says of every process, by pid."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - no Path per process
    return {stat.pid: stat for stat in map(read_stat, pids) if stat is not None}


def count_threads(uid: int) -> int:
    """Return how many threads the user's processes have, as RLIMIT_NPROC counts them (setrlimit(2))."""
    total = 0
    for stat in list_stats().values():
        with suppress(FileNotFoundError):
            if os.stat(f"/proc/{stat.pid}").st_uid == uid:  # noqa: PTH116 - no Path per process
                total += stat.threads
    return total


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the process that has `pid` now (a zombie included), or None."""
    stat = read_stat(pid)
    return stat.identity if stat else None


def is_alive(identity: ProcessIdentity) -> bool:
    """Return whether this very process lives. A zombie, or another process under its pid, does not count."""
    stat = read_stat(identity.pid)
    return stat is not None and stat.is_living and stat.identity == identity


def descendants(pid: int, stats: Mapping[int, ProcessStat] | None = None) -> list[ProcessStat]:
    """Return all living processes below `pid`, parents first; `stats` defaults to a scan made now."""
    children: dict[int, list[ProcessStat]] = {}
    for stat in (list_stats() if stats is None else stats).values():
        children.setdefault(stat.ppid, []).append(stat)
    found: list[ProcessStat] = []
    frontier = [pid]
    while frontier:
        below = [child for parent in frontier for child in children.get(parent, ()) if child.is_living]
        found += below
        frontier = [child.pid for child in below]
    return found


@contextmanager
def _pidfd(identity: ProcessIdentity) -> Iterator[int | None]:
    """Open a pidfd of this very process; None when it is gone."""
    try:
        fd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # Compared after opening: what still bears the name now bore it when the pidfd was opened.
        yield fd if identify(identity.pid) == identity else None
    finally:
        os.close(fd)


def send_signal(identity: ProcessIdentity, signum: int) -> bool:
    """Signal this very process, never another one that got its pid. Return whether it was there.

    Raises:
        PermissionError: it belongs to another user.
    """
    with _pidfd(identity) as fd:
        if fd is None:
            return False
        try:
            signal.pidfd_send_signal(fd, signum)
        except ProcessLookupError:
            return False
        return True


async def wait_exit(identity: ProcessIdentity) -> None:
    """Return as soon as this process has ended, whether reaped or not. The caller sets the bound."""
    with _pidfd(identity) as fd:
        if fd is not None and is_alive(identity):
            await anyio.wait_readable(fd)


def _freeze(select: Callable[[Stats], list[ProcessStat]]) -> list[ProcessStat]:
    """Stop what `select` finds until it finds nothing that runs; return the last finding."""
    found: list[ProcessStat] = []
    for _ in range(_FREEZE_SCANS):
        found = select(list_stats())
        running = [stat for stat in found if stat.state not in _STOPPED]
        if not running:
            break
        _signal_all(running, signal.SIGSTOP)
    return found


def _signal_all(stats: Iterable[ProcessStat], signum: int) -> None:
    for stat in stats:
        # Another user's (a setuid program) stays, and the bound of the caller's loop reports it.
        with suppress(PermissionError):
            send_signal(stat.identity, signum)


async def kill_processes(select: Callable[[Stats], list[ProcessStat]], timeout_s: float = _KILL_TIMEOUT) -> int:
    """Freeze and kill what `select` picks from a scan, again and again until it picks nothing.

    `select` must pick living processes only. Returns how many were killed.

    Raises:
        TimeoutError: some could not be ended within `timeout_s` seconds.
    """
    killed: set[ProcessIdentity] = set()
    with anyio.fail_after(timeout_s):
        while victims := _freeze(select):
            _signal_all(victims, signal.SIGKILL)
            for victim in victims:
                await wait_exit(victim.identity)
            killed |= {victim.identity for victim in victims}
    return len(killed)


async def kill_tree(root: ProcessIdentity, timeout_s: float = _KILL_TIMEOUT) -> None:
    """End `root` and everything below it; return when nothing of it is alive.

    Where `root` is a subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), that includes double-forked daemons. The
    root is stopped first and killed last, so that its orphans have where to go and can be found.

    Raises:
        TimeoutError: something could not be ended within `timeout_s` seconds.
        PermissionError: the root belongs to another user.
    """

    def itself(stats: Stats) -> list[ProcessStat]:
        stat = stats.get(root.pid)
        return [stat] if stat is not None and stat.is_living and stat.identity == root else []

    def below(stats: Stats) -> list[ProcessStat]:
        return descendants(root.pid, stats) if is_alive(root) else []

    with anyio.fail_after(timeout_s):
        send_signal(root, signal.SIGSTOP)
        _freeze(itself)
        try:
            await kill_processes(below, timeout_s)
        finally:
            send_signal(root, signal.SIGKILL)
        await wait_exit(root)


def find_marked(name: str, value: str, stats: Stats | None = None) -> list[ProcessStat]:
    """Return the living processes that were started with `name=value` in their environment.

    Processes whose environment this user may not read are left out.
    """
    mark = f"{name}={value}".encode()
    living = (stat for stat in (list_stats() if stats is None else stats).values() if stat.is_living)
    return [stat for stat in living if mark in _read_environ(stat.pid)]


def _read_environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []


async def kill_marked(name: str, value: str, timeout_s: float = _KILL_TIMEOUT) -> int:
    """End every process with `name=value` in its environment, and all below it; return how many.

    The caller and its own ancestors are spared.

    Raises:
        TimeoutError: some could not be ended within `timeout_s` seconds.
    """

    def marked(stats: Stats) -> list[ProcessStat]:
        spared = _line_of(os.getpid(), stats)
        found = {
            stat.pid: stat
            for root in find_marked(name, value, stats)
            for stat in (root, *descendants(root.pid, stats))
            if root.pid not in spared
        }
        return list(found.values())

    return await kill_processes(marked, timeout_s)


def _line_of(pid: int, stats: Stats) -> set[int]:
    """Return `pid` and the pids of all its ancestors."""
    line: set[int] = set()
    while (stat := stats.get(pid)) and pid not in line:
        line.add(pid)
        pid = stat.ppid
    return line
