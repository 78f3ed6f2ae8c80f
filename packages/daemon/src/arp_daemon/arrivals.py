"""Runs on their way from the store into memory: who has found one in the store waits until it is here.

Between its commit and its answer a run is in lists, and can be canceled, before anybody else knows of it.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class Arrivals:
    """Told of what is being stored; waits are as long as the store takes to answer."""

    def __init__(self) -> None:
        self._coming: Counter[str] = Counter()
        self._came = Changed()

    @contextmanager
    def expected(self, run_ids: Collection[str]) -> Iterator[None]:
        """These are being stored until the block ends; then they have been taken in, or turned out to be none."""
        self._coming.update(run_ids)
        try:
            yield
        finally:
            for run_id in run_ids:
                self._coming[run_id] -= 1
                if not self._coming[run_id]:
                    del self._coming[run_id]
            self._came.notify()

    async def until_here(self, run_ids: Collection[str]) -> None:
        """Return when none of them is being stored."""
        while any(run_id in self._coming for run_id in run_ids):
            await self._came.wait()
