"""What `arp-daemon serve` takes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from arp_daemon.allowed_endpoints import EndpointPattern, read_pattern
from arp_daemon.settings import (
    DEFAULT_MAX_QUEUED_BYTES,
    DEFAULT_MIN_FREE_BYTES,
    DEFAULT_PORT,
    Settings,
    default_data_dir,
)
from arp_service.door import read_host
from arp_service.peer import can_look_up_peers
from arp_service.serving import is_beyond_loopback


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """The options; the words below each are its help."""

    host: str = "127.0.0.1"
    """Address to listen on, or fd://N for an inherited socket. Beyond loopback everybody needs the token."""
    port: int = DEFAULT_PORT
    """Port to listen on; 0 takes any free one."""
    auto_port: bool = False
    """Take the next free port where this one is taken."""
    data_dir: Path | None = None
    """Where runs, events, profiles and logs are kept; by default the user's data folder."""
    token_file: Path | None = None
    """File of the token that lets in who shows it; made if missing. By default `token` in the data dir, if needed."""
    allow_host: list[str] | None = None
    """What this machine may be called in requests, beside loopback and the number that is called. May be repeated."""
    drain_grace_s: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 10.0
    """Seconds that running work gets to finish when the daemon stops."""
    max_queued_bytes: Annotated[int, Parameter(validator=validators.Number(gte=1))] = DEFAULT_MAX_QUEUED_BYTES
    """How large the requests of waiting runs may be, together; one more is refused."""
    min_free_bytes: Annotated[int, Parameter(validator=validators.Number(gte=0))] = DEFAULT_MIN_FREE_BYTES
    """Health is degraded when less room than this is left for the data dir."""
    profiles: Path | None = None
    """A TOML file, or a folder of them, with profiles that are put at start."""
    secrets_dir: Path | None = None
    """The folder whose files profiles may hand to instances by env_from; by default `secrets` in the data dir."""
    allow_env_from: list[str] | None = None
    """A variable of the daemon that profiles may hand to instances by env_from. May be repeated."""
    interpreter: list[str] | None = None
    """NAME=PATH of an interpreter that profiles may name as their python. May be repeated."""
    allow_endpoint: list[str] | None = None
    """Where else than on this machine runtimes may be registered: HOST, *.DOMAIN, NUMBER or NETWORK/BITS, and
    perhaps :PORT. May be repeated."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages that are logged, to stderr."""

    def settings(self) -> Settings:
        """What the daemon is set to; ends the program where an option makes no sense."""
        return Settings(
            data_dir=(self.data_dir or default_data_dir()).absolute(),
            drain_grace_s=self.drain_grace_s,
            max_queued_bytes=self.max_queued_bytes,
            min_free_bytes=self.min_free_bytes,
            secrets_dir=None if self.secrets_dir is None else self.secrets_dir.absolute(),
            allow_env_from=tuple(self.allow_env_from or ()),
            interpreters=dict(_read_interpreter(given) for given in self.interpreter or ()),
            allowed_endpoints=tuple(_read_pattern(given) for given in self.allow_endpoint or ()),
            profiles_path=None if self.profiles is None else self.profiles.absolute(),
        )

    def token_path(self) -> Path | None:
        """Where the token is that is in force, or is to be made; None where nobody needs one."""
        if self.token_file is not None:
            return self.token_file.absolute()
        default = self.settings().token_path
        needed = is_beyond_loopback(self.host) or not can_look_up_peers() or os.path.lexists(default)
        return default if needed else None

    def allowed_hosts(self) -> list[str]:
        """What requests may call this machine; ends the program where that makes no sense."""
        try:
            return [read_host(given) for given in self.allow_host or ()]
        except ValueError as exc:
            sys.exit(f"arp-daemon: --allow-host {exc}.")


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
