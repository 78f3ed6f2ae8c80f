"""What an operator sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_daemon.allowed_endpoints import EndpointPattern

DEFAULT_PORT = 8082
DEFAULT_MAX_QUEUED_BYTES = 256 * 1024 * 1024
DEFAULT_MIN_FREE_BYTES = 256 * 1024 * 1024


def default_data_dir() -> Path:
    """The user's data folder for this program."""
    return Path(platformdirs.user_data_dir("arp-daemon", appauthor=False))


@dataclass(frozen=True)
class Settings:
    """Settings of one daemon; durations in seconds."""

    data_dir: Path
    drain_grace_s: float = 10.0
    """How long running work may go on after SIGTERM."""
    max_queued_bytes: int = DEFAULT_MAX_QUEUED_BYTES
    """How large the requests of waiting runs may be, together."""
    min_free_bytes: int = DEFAULT_MIN_FREE_BYTES
    """With less room left for the data dir, health is degraded."""
    secrets_dir: Path | None = None
    """The folder that `env_from` may read files of; by default `secrets` in the data dir."""
    allow_env_from: tuple[str, ...] = ()
    """The daemon's own variables that `env_from` may hand on."""
    interpreters: Mapping[str, Path] = field(default_factory=dict)
    """What profiles may name as `python`, beside the daemon's own interpreter."""
    allowed_endpoints: tuple[EndpointPattern, ...] = ()
    """Where runtimes may be registered, beside this machine."""
    profiles_path: Path | None = None
    """A TOML file or folder of profiles that are put at start."""

    @property
    def store_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "daemon.sqlite3"

    @property
    def token_path(self) -> Path:
        """The token that the API asks for, where SDK and CLI look for it."""
        return self.data_dir / "token"

    @property
    def environments_path(self) -> Path:
        """The Python environments that are built for profiles."""
        return self.data_dir / "environments"

    @property
    def secrets_path(self) -> Path:
        """The folder of secrets."""
        return self.secrets_dir or self.data_dir / "secrets"
