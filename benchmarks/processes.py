"""The processes of what is measured: which there are, and what they have cost."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Parts = dict[str, list[psutil.Process]]
"""The processes of a program, by what they do in it."""

_BYTES_A_MB = 1_000_000


def listening_on(port: int) -> psutil.Process:
    """The process that listens on a port of this machine."""
    listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
    return psutil.Process(next(c.pid for c in listening if c.pid and c.laddr and c.laddr.port == port))


def cpu_seconds(parts: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    """CPU time so far, by part."""
    return {name: sum(map(_cpu_seconds, processes)) for name, processes in parts.items()}


def _cpu_seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def unique_mb(process: psutil.Process) -> float:
    """Its unique set size: the memory that would be free if it ended."""
    return float(process.memory_full_info().uss) / _BYTES_A_MB


def resident_mb(process: psutil.Process) -> float:
    """Its resident set size, in which what is shared counts in full."""
    return float(process.memory_info().rss) / _BYTES_A_MB
