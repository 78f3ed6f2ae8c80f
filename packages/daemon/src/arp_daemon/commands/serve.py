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
from arp_service.admission import open_admission
from arp_service.folder_lock import FolderError
from arp_service.logs import configure_logging
from arp_service.peer import own_uid
from arp_service.serving import CannotListenError, bind, serve, url_of
from arp_service.sqlite import StoreTooNewError, StoreUnavailableError
from arp_service.stopping import stop_on_signals
from arp_service.token_file import TokenFileError, open_token_file

if TYPE_CHECKING:
    import socket

    from arp_daemon.settings import Settings
    from arp_service.admission import Admission

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
    TokenFileError,
)
_DEFAULTS = ServeOptions()


def serve_daemon(options: ServeOptions = _DEFAULTS) -> None:
    """Serve until SIGTERM or Ctrl-C; a second one gives up running work at once."""
    configure_logging(options.log_level)
    settings, path, hosts = options.settings(), options.token_path(), options.allowed_hosts()
    try:
        token = None if path is None else open_token_file(path)
        listener = bind(options.host, options.port, auto_port=options.auto_port, token=token is not None)
        with open_admission({own_uid()}, token) as admit:
            anyio.run(_serve, listener, settings, admit, hosts)
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


async def _serve(listener: socket.socket, settings: Settings, admit: Admission, hosts: list[str]) -> None:
    url = url_of(listener)
    async with stop_on_signals() as stop, open_daemon(settings, stop) as daemon:
        await serve(
            daemon_app(daemon, admit, hosts),
            listener,
            stop,
            daemon.drain,
            ready=lambda: _log.info("listening", url=url, data_dir=str(settings.data_dir)),
        )
