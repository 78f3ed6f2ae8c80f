"""Which runs fit a filter, newest first, without reading more of the table than needed.

Whatever is asked for is a few walks along an index, each in the order of positions and each ended by the limit: of
all runs, of each state, of each state of a profile, or of a label. A range of time is a range of positions. Where
labels and something else are asked for, the way is taken on which fewer runs lie.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from arp_model import RunState
from arp_service.rows import to_microseconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import datetime

    from arp_daemon.store.records import RunFilter

_AFTER_ALL = 2**63 - 1
# So many runs are looked at one by one rather than walking along a label that many more may have.
_FEW = 1000


class Listing:
    """One question for runs. Ask it in a transaction: the walks have to see the same runs."""

    def __init__(
        self, db: sqlite3.Connection, queries: Mapping[str, str], wanted: RunFilter, before: int | None
    ) -> None:
        self._db = db
        self._queries = queries
        self._wanted = wanted
        self._states = [state.value for state in wanted.states or RunState]
        self._first, self._end = 0, _AFTER_ALL if before is None else before
        if wanted.created_after is not None:
            self._first = self._position_at(wanted.created_after)
        if wanted.created_before is not None:
            self._end = min(self._end, self._position_at(wanted.created_before))

    def positions(self, limit: int) -> list[int]:
        """The positions of up to `limit` runs that are wanted, newest first."""
        if not self._wanted.labels:
            return self._walk(limit)
        if self._wanted.states or self._wanted.runtime_profile is not None:
            few = self._walk(_FEW + 1)
            if len(few) <= _FEW:
                return self._keep_labeled(few)[:limit]
        return self._walk_label(limit)

    def _walk(self, limit: int) -> list[int]:
        """Of runs in the states and of the profile that are wanted, whatever their labels."""
        profile = self._wanted.runtime_profile
        walks: list[tuple[str, tuple[str, ...]]] = [("newest", ())]
        if profile is not None:
            walks = [("newest_of_profile", (profile, state)) for state in self._states]
        elif self._wanted.states:
            walks = [("newest_in_state", (state,)) for state in self._states]
        found = [
            position
            for name, key in walks
            for (position,) in self._db.execute(self._queries[name], (*key, self._first, self._end, limit))
        ]
        return sorted(found, reverse=True)[:limit]

    def _keep_labeled(self, positions: list[int]) -> list[int]:
        asked = {"positions": json.dumps(positions), "labels": json.dumps(self._wanted.labels)}
        kept = [position for (position,) in self._db.execute(self._queries["keep_with_labels"], asked)]
        return sorted(kept, reverse=True)

    def _walk_label(self, limit: int) -> list[int]:
        """Along the rarest of the labels."""
        (name, value), *others = sorted(self._wanted.labels.items(), key=self._count)
        asked = {
            "name": name,
            "value": value,
            "others": json.dumps(dict(others)),
            "states": json.dumps(self._states),
            "profile": self._wanted.runtime_profile,
            "first": self._first,
            "end": self._end,
            "limit": limit,
        }
        return [position for (position,) in self._db.execute(self._queries["newest_with_labels"], asked)]

    def _count(self, label: tuple[str, str]) -> int:
        count: int = self._db.execute(self._queries["count_label"], (*label, _FEW)).fetchone()[0]
        return count

    def _position_at(self, time: datetime) -> int:
        """Where the runs of a time, and of later ones, begin; behind all runs where there are none."""
        found = self._db.execute(self._queries["find_position"], (to_microseconds(time),)).fetchone()
        return _AFTER_ALL if found is None else int(found[0])
