"""Every death below the launcher ends here.

The launcher's direct children are those it started (instance roots, templates) and strays: processes that
were re-parented to it because an instance died under them. Strays are killed at once.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

import anyio

from arp_service.processes import (
    ProcessIdentity,
    ProcessStat,
    Stats,
    descendants,
    kill_processes,
    read_stat,
    send_signal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskStatus

__all__ = ["Child", "Reaper"]

_logger = logging.getLogger(__name__)


class Child:
    """A process that the launcher started and has to reap."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity
        self.exited = anyio.Event()
        self._wait_status: int | None = None

    def set_exited(self, wait_status: int) -> None:
        """Note the end of the process. Called by the reaper, once."""
        self._wait_status = wait_status
        self.exited.set()

    def send_signal(self, signum: int) -> None:
        """Signal the process; nothing happens when it has ended."""
        send_signal(self.identity, signum)

    @property
    def exit_code(self) -> int | None:
        """What it returned; None while it runs or when a signal ended it."""
        code = self._code()
        return code if code is not None and code >= 0 else None

    @property
    def signal(self) -> int | None:
        """The signal that ended it, or None."""
        code = self._code()
        return -code if code is not None and code < 0 else None

    def _code(self) -> int | None:
        return None if self._wait_status is None else os.waitstatus_to_exitcode(self._wait_status)


class Reaper:
    """Reaps all children, and kills strays. One a launcher; nothing else there may wait for a process."""

    def __init__(self) -> None:
        self._children: dict[int, Child] = {}
        self._is_spared: Callable[[ProcessStat], bool] = lambda _: False
        self._hunting = anyio.Lock()
        self._next_hunt: anyio.Event | None = None

    def spare(self, is_spared: Callable[[ProcessStat], bool]) -> None:
        """Take no child for a stray of which `is_spared` is true: it is just being started."""
        self._is_spared = is_spared

    def watch(self, pid: int) -> Child:
        """Take charge of a new child. Call without awaiting after its pid is known, so that no end is missed.

        Raises:
            ProcessLookupError: it is no child of this process (any more).
        """
        stat = read_stat(pid)
        if stat is None or stat.ppid != os.getpid():
            raise ProcessLookupError(f"{pid} is no child of the launcher.")
        child = self._children[pid] = Child(stat.identity)
        return child

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Reap whenever a child ends, until cancelled."""
        with anyio.open_signal_receiver(signal.SIGCHLD) as signals:
            task_status.started()
            async for _ in signals:
                self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if child := self._children.pop(pid, None):
                child.set_exited(wait_status)

    async def kill_strays(self) -> None:
        """Kill all strays and what is below them. Call after the end of any child that may have had children.

        The kernel re-parents before it reports an end, so no stray of that child can turn up later. Calls that
        come while another one is about to begin share it: many instances may end at once, and a scan is dear.
        """
        if self._next_hunt is not None:
            await self._next_hunt.wait()
            return
        done = self._next_hunt = anyio.Event()
        async with self._hunting:
            self._next_hunt = None
            await self._hunt()
        done.set()

    async def _hunt(self) -> None:
        try:
            count = await kill_processes(self._strays)
        except TimeoutError:
            _logger.exception("strays could not be killed")
        else:
            if count:
                _logger.info("killed %d processes that their instance left behind", count)

    def _strays(self, stats: Stats) -> list[ProcessStat]:
        own_pid = os.getpid()
        strays = [
            stat
            for stat in stats.values()
            if stat.ppid == own_pid and stat.is_living and stat.pid not in self._children and not self._is_spared(stat)
        ]
        return strays + [below for stray in strays for below in descendants(stray.pid, stats)]
