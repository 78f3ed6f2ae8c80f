"""Traces as files: `FOLDER/RUN_ID.jsonl`, a TraceEvent a line, written as things happen."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog

from arp_runtime.records.changes import RunEnded, RunForgotten
from arp_runtime.records.trace_story import as_trace_event, entry_of, redacted
from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from arp_runtime.records.changes import Change

_log = structlog.get_logger(__name__)

# What waits for a slow disk; beyond it lines are dropped, and that is said, rather than the memory filled.
_MAX_WAITING_BYTES = 64 * 1024 * 1024
# At the end of the process, for what is still to be written.
_LAST_WRITE_S = 5.0


class TraceFiles:
    """`read` hears of changes, `run` writes; it is one task. A trace goes when its run is forgotten."""

    def __init__(self, folder: Path, *, redact_prompts: bool) -> None:
        self._folder = folder
        self._redact_prompts = redact_prompts
        self._lines: dict[str, list[bytes]] = {}
        self._waiting_bytes = 0
        self._writing = False
        self._lost = 0
        self._forgotten: list[str] = []
        self._seqs: dict[str, int] = {}
        self._given = Changed()
        self._written = Changed()

    def read(self, change: Change) -> None:
        """Take what a change adds to its run's trace."""
        if isinstance(change, RunForgotten):
            self._forgotten.append(change.run_id)
        elif (entry := entry_of(change)) is not None:
            seq = self._seqs.get(change.run_id, 0)
            self._seqs[change.run_id] = seq + 1
            shown = redacted(entry) if self._redact_prompts else entry
            self._take(change.run_id, as_trace_event(change.run_id, seq, shown).to_json() + b"\n")
        if isinstance(change, RunEnded):
            self._seqs.pop(change.run_id, None)
        self._given.notify()

    def resume(self, run_ids: Iterable[str]) -> None:
        """Go on with the traces that an earlier process began; call at the start, before `run`."""
        for run_id in run_ids:
            with suppress(FileNotFoundError):
                self._seqs[run_id] = self._path(run_id).read_bytes().count(b"\n")

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            while not (self._lines or self._forgotten):
                await self._given.wait()
            lines, self._lines = self._lines, {}
            forgotten, self._forgotten = self._forgotten, []
            self._waiting_bytes, self._writing = 0, True
            try:
                await anyio.to_thread.run_sync(self._write, lines, forgotten)
            except OSError as exc:
                _log.error("traces_lost", error=str(exc), runs=len(lines))
            self._writing = False
            self._written.notify()

    async def finish(self) -> None:
        """Return when all is written, or a bounded time is over."""
        with anyio.move_on_after(_LAST_WRITE_S):
            while self._lines or self._forgotten or self._writing:
                await self._written.wait()

    def _take(self, run_id: str, line: bytes) -> None:
        if self._waiting_bytes + len(line) > _MAX_WAITING_BYTES:
            self._lost += 1
            if self._lost == 1:
                _log.error("trace_lines_dropped", reason="the disk takes them too slowly")
            return
        self._waiting_bytes += len(line)
        self._lines.setdefault(run_id, []).append(line)

    def _write(self, lines: dict[str, list[bytes]], forgotten: list[str]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for run_id, added in lines.items():
            with self._path(run_id).open("ab") as file:
                file.writelines(added)
        for run_id in forgotten:
            self._path(run_id).unlink(missing_ok=True)

    def _path(self, run_id: str) -> Path:
        """Run ids are checked where runs are taken: they can stand in a path."""
        return self._folder / f"{run_id}.jsonl"
