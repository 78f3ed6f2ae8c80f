"""Holds on to the launcher while the daemon runs, and ends it with a daemon that stops in order."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.launcher import LauncherError, open_launcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import TaskStatus

    from arp_daemon.attachment import Attachment
    from arp_daemon.environments import EnvironmentManager
    from arp_daemon.launcher import LauncherClient
    from arp_daemon.starter import Starter
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)

# Before another launcher is tried: doubling.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 10.0
# For the process of a launcher that has stopped everything to be gone.
_GONE_S = 5.0


async def keep_launcher(
    data_dir: Path,
    starter: Starter,
    attachment: Attachment,
    environments: EnvironmentManager,
    stop: Stop,
    *,
    task_status: TaskStatus[None],
) -> None:
    """Hold on to the launcher; where it dies, its instances died with it, and another one is started.

    A daemon that stops in order ends the launcher; one that crashes leaves it to the next daemon.

    Raises:
        LauncherError: the first one cannot be had. Later ones are tried for again and again.
    """
    first, pause = True, _FIRST_PAUSE_S
    while True:
        try:
            async with _launcher(data_dir, stop) as launcher:
                pause = _FIRST_PAUSE_S
                starter.use(launcher)
                if first:
                    await attachment.attach()
                    task_status.started()
                    first = False
                else:
                    await attachment.sweep()
                # What an earlier daemon or connection was building has been stopped by now.
                environments.use_launcher(launcher)
                await attachment.follow_launcher(launcher)
        except (LauncherError, OSError) as exc:
            if first:
                raise
            _log.error("launcher_unavailable", error=str(exc))
        starter.use(None)
        _log.error("launcher_gone")
        await attachment.drop_all()
        await anyio.sleep(pause)
        pause = min(pause * 2, _LAST_PAUSE_S)


@asynccontextmanager
async def _launcher(data_dir: Path, stop: Stop) -> AsyncIterator[LauncherClient]:
    """A connected launcher. When the daemon closes, it is ended, and its process gone, when the block is left."""
    process = -1
    try:
        async with open_launcher(data_dir) as launcher:
            process = os.pidfd_open(launcher.launcher_pid)
            try:
                yield launcher
            finally:
                if stop.closing.is_set():
                    await _shut_down(launcher)
    finally:
        if process >= 0:
            if stop.closing.is_set():
                with anyio.move_on_after(_GONE_S, shield=True):
                    await anyio.wait_readable(process)
            os.close(process)


async def _shut_down(launcher: LauncherClient) -> None:
    with anyio.CancelScope(shield=True):
        try:
            await launcher.shutdown(0.0)
        except LauncherError as exc:  # it has ended before
            _log.info("launcher_has_ended", reason=exc.message)
