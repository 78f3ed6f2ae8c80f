"""`arp-daemon`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.app import daemon_app
from arp_daemon.daemon import DataDirInUseError, open_daemon
from arp_daemon.settings import DEFAULT_PORT, Settings, default_data_dir
from arp_service.command_line import service_command_line
from arp_service.door import OwnUserOnly
from arp_service.logs import configure_logging
from arp_service.peer import PeerLookup, own_uid
from arp_service.serving import CannotListenError, bind, serve, url_of

if TYPE_CHECKING:
    import socket

_log = structlog.get_logger(__name__)

command_line = service_command_line("arp-daemon", "arp-daemon", "Keeps runtime instances, and routes runs to them.")


@command_line.command(name="serve")
def serve_daemon(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    auto_port: bool = False,
    data_dir: Path | None = None,
    drain_grace_s: float = 10.0,
    log_level: str = "info",
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Parameters
    ----------
    host
        Loopback address to listen on, or fd://N for an inherited socket.
    port
        Port to listen on; 0 takes any free one.
    auto_port
        Take the next free port where this one is taken.
    data_dir
        Where runs, events, profiles and logs are kept; by default the user's data folder.
    drain_grace_s
        Seconds that running work gets to finish when the daemon stops.
    log_level
        debug, info, warning or error.
    """
    configure_logging(log_level)
    settings = Settings(data_dir=(data_dir or default_data_dir()).absolute(), drain_grace_s=drain_grace_s)
    try:
        listener = bind(host, port, auto_port=auto_port)
        anyio.run(_serve, listener, settings)
    except (CannotListenError, DataDirInUseError) as exc:
        sys.exit(f"arp-daemon: {exc}")


async def _serve(listener: socket.socket, settings: Settings) -> None:
    url = url_of(listener)
    async with open_daemon(settings) as daemon:
        app = daemon_app(daemon, OwnUserOnly(PeerLookup(), own_uid()))
        _log.info("listening", url=url, data_dir=str(settings.data_dir))
        await serve(app, listener, daemon.stop, daemon.drain)


def main() -> None:
    """Entry point of `arp-daemon`."""
    command_line()
