"""What a daemon that was stopped in order may leave behind: its records and logs, and nothing that lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from arp_daemon.launcher.paths import LAUNCHER_ID_VARIABLE, launcher_id

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = {"daemon.sqlite3", "daemon.lock", "environments", "logs", "run", "store.state"}
_KEPT_IN_RUN = {"cgroups", "launcher.lock"}


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Every living process that names the data dir, or carries the mark of its launcher, whoever its parent is."""
    mark = launcher_id(data_dir)
    return [process for process in psutil.process_iter() if _belongs(process, str(data_dir), mark)]


def sockets_at(port: int) -> list[str]:
    """Connections that anybody on this machine still holds open with a port, and who listens there."""
    return [
        f"{connection.status} {connection.laddr} {connection.raddr}"
        for connection in psutil.net_connections("tcp")
        if connection.laddr and connection.laddr.port == port and connection.status != psutil.CONN_TIME_WAIT
    ]


def files_left(data_dir: Path) -> list[str]:
    """Files that nobody needs any more."""
    top = [path.name for path in data_dir.iterdir() if path.name not in _KEPT]
    run = [f"run/{path.name}" for path in (data_dir / "run").iterdir() if path.name not in _KEPT_IN_RUN]
    return top + run


def _belongs(process: psutil.Process, data_dir: str, mark: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get(LAUNCHER_ID_VARIABLE) == mark or any(data_dir in arg for arg in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
