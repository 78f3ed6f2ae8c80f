"""What each group of rows is given: how much to do, where, and whom to tell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.effort import Effort
    from benchmarks.loading import Outcome
    from benchmarks.results import Results

_numbers = count()


@dataclass(frozen=True)
class Bench:
    """`folder` is empty and the group's own; `say` tells who waits what is being done."""

    effort: Effort
    results: Results
    folder: Path
    say: Callable[[str], None]

    def record(self, row: str, series: str, value: float) -> None:
        """Add what one repetition gave, and say so."""
        self.results.record(row, series, value)
        self.say(f"{row}: {series} {value:,.4g}")

    def record_cpu(self, row: str, outcome: Outcome, units: int, series: str) -> None:
        """Add the CPU time that each process took for so many units."""
        for process, seconds in outcome.cpu.items():
            self.results.record_cpu(row, series, process, seconds, units)


def new_prefix() -> str:
    """The beginning of run ids that nobody has used."""
    return f"bench-{next(_numbers)}"
