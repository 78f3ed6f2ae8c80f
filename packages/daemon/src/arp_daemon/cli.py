"""`arp-daemon`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
import structlog
from cyclopts import Parameter, validators

from arp_daemon.allowed_endpoints import EndpointPattern, read_pattern
from arp_daemon.app import daemon_app
from arp_daemon.daemon import DataDirInUseError, open_daemon
from arp_daemon.launcher.errors import LauncherStartError
from arp_daemon.profile_files import ProfileFileError
from arp_daemon.settings import DEFAULT_MAX_QUEUED_BYTES, DEFAULT_PORT, Settings, default_data_dir
from arp_service.command_line import service_command_line
from arp_service.door import OwnUserOnly
from arp_service.logs import configure_logging
from arp_service.peer import PeerLookup, own_uid
from arp_service.serving import CannotListenError, bind, serve, url_of
from arp_service.sqlite import StoreTooNewError, StoreUnavailableError
from arp_service.stopping import stop_on_signals

if TYPE_CHECKING:
    import socket

_log = structlog.get_logger(__name__)

# What an operator can mend is one sentence; anything else is a bug, and shows itself whole.
_CANNOT_START = (
    CannotListenError,
    DataDirInUseError,
    LauncherStartError,
    ProfileFileError,
    StoreTooNewError,
    StoreUnavailableError,
)

command_line = service_command_line("arp-daemon", "arp-daemon", "Keeps runtime instances, and routes runs to them.")


@command_line.command(name="serve")
def serve_daemon(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    auto_port: bool = False,
    data_dir: Path | None = None,
    drain_grace_s: float = 10.0,
    max_queued_bytes: Annotated[int, Parameter(validator=validators.Number(gte=1))] = DEFAULT_MAX_QUEUED_BYTES,
    profiles: Path | None = None,
    secrets_dir: Path | None = None,
    allow_env_from: list[str] | None = None,
    interpreter: list[str] | None = None,
    allow_endpoint: list[str] | None = None,
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> None:
    """Serve until SIGTERM or Ctrl-C; a second one gives up running work at once.

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
    max_queued_bytes
        How large the requests of waiting runs may be, together; one more is refused.
    profiles
        A TOML file, or a folder of them, with profiles that are put at start.
    secrets_dir
        The folder whose files profiles may hand to instances by env_from; by default `secrets` in the data dir.
    allow_env_from
        A variable of the daemon that profiles may hand to instances by env_from. May be repeated.
    interpreter
        NAME=PATH of an interpreter that profiles may name as their python. May be repeated.
    allow_endpoint
        Where else than on this machine runtimes may be registered: HOST, *.DOMAIN, NUMBER or NETWORK/BITS, and
        perhaps :PORT. May be repeated.
    log_level
        The least important messages that are logged, to stderr.
    """
    configure_logging(log_level)
    settings = Settings(
        data_dir=(data_dir or default_data_dir()).absolute(),
        drain_grace_s=drain_grace_s,
        max_queued_bytes=max_queued_bytes,
        secrets_dir=None if secrets_dir is None else secrets_dir.absolute(),
        allow_env_from=tuple(allow_env_from or ()),
        interpreters=dict(_read_interpreter(given) for given in interpreter or ()),
        allowed_endpoints=tuple(_read_pattern(given) for given in allow_endpoint or ()),
        profiles_path=None if profiles is None else profiles.absolute(),
    )
    try:
        _serve_own_user(bind(host, port, auto_port=auto_port), settings)
    except _CANNOT_START as exc:
        sys.exit(f"arp-daemon: {exc}")


def _read_interpreter(given: str) -> tuple[str, Path]:
    name, _, path = given.partition("=")
    if not name or not Path(path).is_absolute():
        sys.exit(f"arp-daemon: --interpreter {given}: write NAME=/PATH.")
    return name, Path(path)


def _read_pattern(given: str) -> EndpointPattern:
    try:
        return read_pattern(given)
    except ValueError as exc:
        sys.exit(f"arp-daemon: --allow-endpoint {exc}.")


def _serve_own_user(listener: socket.socket, settings: Settings) -> None:
    with PeerLookup() as lookup:
        anyio.run(_serve, listener, settings, OwnUserOnly(lookup, own_uid()))


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


def main() -> None:
    """Entry point of `arp-daemon`."""
    command_line()
