"""A runtime's parts, chosen before anything of it begins, and put together in one place."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from arp_runtime.records.opening import open_records
from arp_runtime.runs.manager import open_manager
from arp_runtime.runs.workbench import Workbench
from arp_service.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from arp_runtime.agents.artifacts import ArtifactFolder
    from arp_runtime.agents.kinds import LoadedAgent
    from arp_runtime.records.opening import Records, RecordSettings
    from arp_runtime.runs.manager import Keeping, RunManager
    from arp_runtime.runs.turns import Capacity
    from arp_runtime.tools.offered import OfferedTool
    from arp_service.stopping import Stop


class OpenRuntime(NamedTuple):
    """What an app is made of (`create_runtime_app`)."""

    runs: RunManager
    records: Records
    stop: Stop


@dataclass(frozen=True)
class RuntimeParts:
    """What executes runs, by which rules, and where it is kept."""

    agent: LoadedAgent
    tools: AbstractAsyncContextManager[Mapping[str, OfferedTool]]
    artifacts: ArtifactFolder
    records: RecordSettings
    capacity: Capacity
    keeping: Keeping

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenRuntime]:
        """Put them together, once, until a signal stops them or who serves them does.

        Raises:
            FolderError, StoreTooNewError, StoreUnavailableError: see `open_records`.
            ToolsNotLoadableError: see `open_tools`.
        """
        async with open_records(self.records) as records, self.tools as tools, stop_on_signals() as stop:
            bench = Workbench(tools, self.artifacts)
            async with open_manager(self.agent, bench, stop, self.capacity, self.keeping, records) as runs:
                yield OpenRuntime(runs, records, stop)
