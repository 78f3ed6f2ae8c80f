"""Finding the launcher of a data dir, or starting one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
from anyio.abc import SocketAttribute

from arp_daemon.launcher.environment import reduce_environment
from arp_daemon.launcher.errors import LauncherStartError
from arp_daemon.launcher.paths import EXIT_LOCKED
from arp_daemon.launcher.sockets import check_peer_is_own_user, unix_path

if TYPE_CHECKING:
    from anyio.abc import UNIXSocketStream

    from arp_daemon.launcher.paths import LauncherPaths

__all__ = ["find_or_start"]

# Starting Python and sweeping, or waiting for an ending launcher to stop its instances.
_START_TIMEOUT = 30.0
# Between two looks for a launcher that is about to listen, or to end.
_RETRY_PAUSE = 0.05


async def find_or_start(paths: LauncherPaths, lease_s: float) -> UNIXSocketStream:
    """Return a connection to the one launcher of a data dir.

    Raises:
        LauncherStartError: there is none, and none can be started.
    """
    try:
        with anyio.fail_after(_START_TIMEOUT):
            while True:
                if stream := await _find(paths):
                    return stream
                if not await _start(paths, lease_s):
                    await anyio.sleep(_RETRY_PAUSE)
    except TimeoutError as exc:
        message = f"The launcher of {paths.data_dir} neither answers nor ends; see {paths.log}."
        raise LauncherStartError(message) from exc


async def _find(paths: LauncherPaths) -> UNIXSocketStream | None:
    try:
        with unix_path(paths.run, paths.socket_name) as path:
            stream = await anyio.connect_unix(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as exc:
        raise LauncherStartError(f"Cannot reach the launcher of {paths.data_dir}: {exc}.") from exc
    try:
        check_peer_is_own_user(stream.extra_attributes[SocketAttribute.raw_socket]())
    except PermissionError as exc:
        await stream.aclose()
        raise LauncherStartError(f"The launcher of {paths.data_dir} is somebody else's: {exc}") from exc
    return stream


async def _start(paths: LauncherPaths, lease_s: float) -> bool:
    """Start a launcher, and return when it listens; False when another one holds the data dir."""
    command = [sys.executable, "-P", "-m", "arp_daemon.launcher", "--detach"]
    command += ["--data-dir", str(paths.data_dir), "--lease-s", str(lease_s)]
    done = await anyio.run_process(
        command,
        stdin=subprocess.DEVNULL,
        check=False,
        env=reduce_environment(os.environ),
        cwd="/",
        start_new_session=True,
    )
    if done.returncode not in {0, EXIT_LOCKED}:
        said = done.stderr.decode(errors="replace").strip()
        raise LauncherStartError(f"The launcher of {paths.data_dir} did not start: {said}", said)
    return done.returncode == 0
