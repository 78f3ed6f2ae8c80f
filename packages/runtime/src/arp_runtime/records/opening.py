"""What is recorded of runs beside the memory: metrics always; the disk where the operator named a folder."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from arp_runtime.records.chronicle import Chronicle
from arp_runtime.records.metrics import Metrics
from arp_runtime.records.store import StoreWriter, open_run_store
from arp_runtime.records.trace_files import TraceFiles
from arp_service.folder_lock import locked_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from arp_runtime.records.store import StoredRun


@dataclass(frozen=True)
class RecordSettings:
    """Where runs are recorded; None: they are not."""

    data_dir: Path | None = None
    trace_dir: Path | None = None
    redact_prompts: bool = False

    @property
    def traces(self) -> Path | None:
        """Where trace files are written."""
        return self.trace_dir or (None if self.data_dir is None else self.data_dir / "traces")


@dataclass(frozen=True)
class Records:
    """What the run manager tells changes to, what others read of them, and what an earlier process left."""

    chronicle: Chronicle
    metrics: Metrics
    stored: list[StoredRun] = field(default_factory=list)


def records_in_memory() -> Records:
    """Records that end with the process."""
    metrics = Metrics()
    return Records(Chronicle([metrics.read]), metrics)


@asynccontextmanager
async def open_records(settings: RecordSettings) -> AsyncIterator[Records]:
    """Open what is recorded. At exit, which waits a bounded time for it, all is on the disk.

    Raises:
        FolderError: another runtime serves the data dir, or it cannot be written.
        StoreTooNewError, StoreUnavailableError: the data dir's store cannot be used.
    """
    metrics = Metrics()
    readers = [metrics.read]
    writers: list[StoreWriter | TraceFiles] = []
    stored: list[StoredRun] = []
    keeper = None
    async with AsyncExitStack() as stack:
        if settings.data_dir is not None:
            stack.enter_context(locked_folder(settings.data_dir, "runtime"))
            store = await stack.enter_async_context(open_run_store(settings.data_dir / "runtime.sqlite3"))
            stored = await store.list_runs()
            keeper = StoreWriter(store)
            writers.append(keeper)
        if settings.traces is not None:
            files = TraceFiles(settings.traces, redact_prompts=settings.redact_prompts)
            files.resume([run.run_id for run in stored if run.state is None])
            readers.append(files.read)
            writers.append(files)
        async with anyio.create_task_group() as tasks:
            for writer in writers:
                tasks.start_soon(writer.run)
            yield Records(Chronicle(readers, keeper), metrics, stored)
            with anyio.CancelScope(shield=True):
                for writer in writers:
                    await writer.finish()
            tasks.cancel_scope.cancel()
