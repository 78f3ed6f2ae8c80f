"""What is on the disk, read beside the daemon."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_EVENTS = """
SELECT seq, type, event FROM run_events JOIN runs USING (position) WHERE run_id = ? ORDER BY seq
"""


def stored_log(data_dir: Path, run_id: str) -> bytes:
    """A run's events as stored, written as a stream of server-sent events has to show them."""
    with closing(sqlite3.connect(f"file:{data_dir / 'daemon.sqlite3'}?mode=ro", uri=True)) as connection:
        rows = connection.execute(_EVENTS, (run_id,)).fetchall()
    return b"".join(
        b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, type_.encode(), event)
        for first, types, lines in rows
        for seq, (type_, event) in enumerate(zip(types.split(), lines.splitlines(), strict=True), first)
    )
