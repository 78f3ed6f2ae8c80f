"""What a benchmark gave, as it is kept in JSON."""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks.effort import Effort

_VERSIONS = ("arp-daemon", "arp-runtime", "arp-standard-py", "hypercorn", "starlette", "msgspec", "httpx", "anyio")


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured, and with what."""

    cores: int
    processor: str
    system: str
    python: str
    versions: dict[str, str]
    load_before: float
    """How many processes wanted a core in the minute before: more than none, and others were at work."""


class Results(msgspec.Struct):
    """Figures by row and series, a value each repetition; CPU time, in microseconds a unit, by process as well."""

    began_at: datetime
    machine: Machine
    effort: Effort
    figures: dict[str, dict[str, list[float]]] = {}
    cpu: dict[str, dict[str, dict[str, list[float]]]] = {}

    def record(self, row: str, series: str, value: float) -> None:
        """Add what one repetition gave."""
        self.figures.setdefault(row, {}).setdefault(series, []).append(value)

    def record_cpu(self, row: str, series: str, process: str, seconds: float, units: int) -> None:
        """Add what CPU time one repetition cost a process, for so many units."""
        of_series = self.cpu.setdefault(row, {}).setdefault(series, {})
        of_series.setdefault(process, []).append(seconds * 1e6 / units)


def new_results(effort: Effort) -> Results:
    """Nothing yet, on this machine."""
    return Results(began_at=datetime.now(timezone.utc), machine=_this_machine(), effort=effort)


def write_results(results: Results, path: Path) -> None:
    """Write them as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")


def read_results(path: Path) -> Results:
    """Read what `write_results` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def _this_machine() -> Machine:
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        processor=_processor(),
        system=f"{platform.system()} {platform.release()}",
        python=sys.version.split()[0],
        versions={name: version(name) for name in _VERSIONS},
        load_before=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
