"""What an operator sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

DEFAULT_PORT = 8082


def default_data_dir() -> Path:
    """The user's data folder for this program."""
    return Path(platformdirs.user_data_dir("arp-daemon", appauthor=False))


@dataclass(frozen=True)
class Settings:
    """Settings of one daemon; durations in seconds."""

    data_dir: Path
    drain_grace_s: float = 10.0
    """How long running work may go on after SIGTERM."""

    @property
    def store_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "daemon.sqlite3"

    @property
    def lock_path(self) -> Path:
        """Held while a daemon serves this folder."""
        return self.data_dir / "daemon.lock"
