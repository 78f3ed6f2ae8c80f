"""The launcher's life: sweep, listen, serve, and stop everything at its end."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher.cgroups import open_cgroups
from arp_daemon.launcher.instances import Instances
from arp_daemon.launcher.lease import Lease
from arp_daemon.launcher.paths import LAUNCHER_ID_VARIABLE, LauncherPaths, launcher_id
from arp_daemon.launcher.prctl import become_subreaper
from arp_daemon.launcher.protocol import Hello
from arp_daemon.launcher.reaper import Reaper
from arp_daemon.launcher.server import Server
from arp_daemon.launcher.socket_folder import SocketFolder
from arp_daemon.launcher.sockets import bind_unix
from arp_daemon.launcher.starter import Starter
from arp_daemon.launcher.template_pool import TemplatePool
from arp_service.processes import kill_marked

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskStatus

__all__ = ["serve"]

_logger = logging.getLogger(__name__)


async def serve(paths: LauncherPaths, lease_s: float, on_ready: Callable[[], None]) -> None:
    """Serve until a shutdown is asked for, SIGTERM comes, or no daemon has come for `lease_s` seconds.

    The caller holds the lock of the data dir, and this is its only thread. When it returns, no process that
    it started is left.

    Raises:
        OSError: the socket cannot be bound.
    """
    mark = launcher_id(paths.data_dir)
    # Ctrl-C in a terminal is for the daemon, which then decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.chdir("/")
    become_subreaper()
    # Groups first: what is in one cannot hide, and the walk then has less to look at.
    cgroups = await open_cgroups(paths.cgroups, mark)
    await _sweep(mark)
    sockets = SocketFolder(paths.sockets, mark)
    async with anyio.create_task_group() as tasks:
        lease = Lease(lease_s, anyio.current_time())
        server = Server(tasks, Hello(launcher_id=mark, pid=os.getpid()), lease)
        reaper = Reaper()
        await tasks.start(reaper.run)
        templates = TemplatePool(tasks, reaper, paths.logs, mark)
        reaper.spare(templates.is_forking)
        starter = Starter(reaper, templates, cgroups, mark)
        instances = Instances(tasks, starter, reaper, paths.logs, sockets, server.publish)
        await tasks.start(_end_on_sigterm, server, instances)
        tasks.start_soon(_end_with_lease, server, lease)
        async with anyio.create_task_group() as listening:
            listening.start_soon(server.serve, bind_unix(paths.run, paths.socket_name), instances)
            on_ready()
            await server.ending.wait()
            listening.cancel_scope.cancel()
        await templates.close()
        await instances.shutdown()
        sockets.close()
        cgroups.close()
        await server.finish()
        tasks.cancel_scope.cancel()
    (paths.run / paths.socket_name).unlink(missing_ok=True)


async def _sweep(mark: str) -> None:
    """End what an earlier launcher of this data dir left behind, before anything is started."""
    try:
        count = await kill_marked(LAUNCHER_ID_VARIABLE, mark)
    except TimeoutError:
        _logger.exception("some processes of an earlier launcher could not be killed")
    else:
        _logger.info("swept %d processes of an earlier launcher", count)


async def _end_on_sigterm(server: Server, instances: Instances, *, task_status: TaskStatus[None]) -> None:
    """End on the first SIGTERM, giving each instance its grace; a second one leaves no grace."""
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if server.ending.is_set():
                await instances.shutdown(grace_s=0.0)
            server.ending.set()


async def _end_with_lease(server: Server, lease: Lease) -> None:
    while True:
        remaining = lease.remaining_s(anyio.current_time())
        if remaining <= 0:
            break
        await anyio.sleep(remaining)
    _logger.info("no daemon came within the lease")
    server.ending.set()
