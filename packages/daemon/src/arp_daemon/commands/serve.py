"""`arp-daemon serve`."""

from __future__ import annotations

import sys
from builtins import ExceptionGroup  # by name: the linter believes in Python 3.10
from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.app import daemon_app
from arp_daemon.commands.serve_options import ServeOptions
from arp_daemon.daemon import open_daemon
from arp_daemon.launcher.errors import LauncherStartError
from arp_daemon.profile_files import ProfileFileError
from arp_daemon.store import StoreDamagedError
from arp_service.door import OwnUserOnly
from arp_service.folder_lock import FolderError
from arp_service.logs import configure_logging
from arp_service.peer import PeerLookup, own_uid
from arp_service.serving import CannotListenError, bind, serve, url_of
from arp_service.sqlite import StoreTooNewError, StoreUnavailableError
from arp_service.stopping import stop_on_signals

if TYPE_CHECKING:
    import socket

    from arp_daemon.settings import Settings

_log = structlog.get_logger(__name__)

# What an operator can mend is one sentence; anything else is a bug, and shows itself whole.
_CANNOT_START = (
    CannotListenError,
    FolderError,
    LauncherStartError,
    ProfileFileError,
    StoreDamagedError,
    StoreTooNewError,
    StoreUnavailableError,
)
_DEFAULTS = ServeOptions()


def serve_daemon(options: ServeOptions = _DEFAULTS) -> None:
    """Serve until SIGTERM or Ctrl-C; a second one gives up running work at once."""
    configure_logging(options.log_level)
    settings = options.settings()
    try:
        listener = bind(options.host, options.port, auto_port=options.auto_port)
        with PeerLookup() as lookup:
            anyio.run(_serve, listener, settings, OwnUserOnly(lookup, own_uid()))
    except (*_CANNOT_START, ExceptionGroup) as exc:
        why = _first(exc)
        if not isinstance(why, _CANNOT_START):
            raise
        sys.exit(f"arp-daemon: {why}")


def _first(error: BaseException) -> BaseException:
    """What a task group has wrapped."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _serve(listener: socket.socket, settings: Settings, admit: OwnUserOnly) -> None:
    url = url_of(listener)
    async with stop_on_signals() as stop, open_daemon(settings, stop) as daemon:
        await serve(
            daemon_app(daemon, admit),
            listener,
            stop,
            daemon.drain,
            ready=lambda: _log.info("listening", url=url, data_dir=str(settings.data_dir)),
        )
