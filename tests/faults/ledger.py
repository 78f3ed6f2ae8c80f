"""What agents wrote down themselves: who worked on what. The daemon has no part in it, so it cannot cover up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Entry(NamedTuple):
    """One line: `begin` or `end`, of which goal, under which id, in which process."""

    phase: str
    goal: str
    token: str
    pid: int


class Ledger:
    """A file that agents append to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """Everything so far, in the order it happened."""
        if not self.path.exists():
            return []
        lines = (line.split() for line in self.path.read_text().splitlines())
        return [Entry(phase, goal, token, int(pid)) for phase, goal, token, pid in lines]

    def count(self, phase: str, *, of: str) -> Counter[str]:
        """How often each run of a profile was begun, or ended."""
        own = (entry for entry in self.entries() if entry.phase == phase)
        return Counter(entry.goal for entry in own if entry.goal.rpartition("-")[0] == of)
