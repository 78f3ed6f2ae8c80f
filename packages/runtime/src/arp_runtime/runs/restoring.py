"""How a run ends that an earlier process did not finish."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from arp_model import UNSET, RunEvent, RunEventType, RunState
from arp_runtime.errors import RunInterruptedError
from arp_runtime.runs.execution import Outcome
from arp_runtime.runs.large_output import fit_partial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_model import ResourceRef
    from arp_runtime.agents.artifacts import ArtifactFolder


async def interrupted(run_id: str, events: Sequence[bytes], folder: ArtifactFolder) -> Outcome:
    """Failed with code `interrupted`, retryable; with what was said and used, as far as its events tell."""
    made: list[ResourceRef] = []

    async def write(name: str, content: bytes) -> None:
        made.append(await anyio.to_thread.run_sync(partial(folder.write, run_id, name, content)))

    read = [RunEvent.from_json(event) for event in events]
    said = "".join(str(e.data.get("text", "")) for e in read if e.type_ is RunEventType.TOKEN and e.data is not UNSET)
    counts = {type_: sum(event.type_ is type_ for event in read) for type_ in RunEventType}
    tool_calls = counts[RunEventType.TOOL_CALL]
    return Outcome(
        RunState.FAILED,
        await fit_partial(said, write),
        RunInterruptedError(),
        {
            "steps": counts[RunEventType.STEP] + tool_calls,
            "tool_calls": tool_calls,
            "tokens": counts[RunEventType.TOKEN],
        },
        made,
    )
