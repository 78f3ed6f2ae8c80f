"""Results that nobody has measured."""

from __future__ import annotations

from datetime import datetime, timezone

from benchmarks.effort import QUICK
from benchmarks.results import Machine, Results
from benchmarks.rows import ROWS

_MACHINE = Machine(2, "a processor", "Linux 6", "3.11.9", {"msgspec": "0.20"}, 0.0)


def no_results() -> Results:
    """Before anything was measured."""
    return Results(began_at=datetime(2026, 1, 1, tzinfo=timezone.utc), machine=_MACHINE, effort=QUICK)


def results_with(value: float) -> Results:
    """As if everything had been measured, and had given the same."""
    results = no_results()
    for row in ROWS:
        for series in row.series:
            results.record(row.name, series, value)
    results.record_cpu("daemon-runs", "ours", "arp-daemon", 2.0, 1000)
    return results
