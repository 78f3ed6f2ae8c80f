"""How a run ends that an earlier process did not finish. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_model import UNSET, RunEvent, RunEventType, RunState
from arp_runtime.errors import RunInterruptedError
from arp_runtime.execution import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence


def interrupted(events: Sequence[bytes]) -> Outcome:
    """Failed with code `interrupted`, retryable; with what was said and used, as far as its events tell."""
    read = [RunEvent.from_json(event) for event in events]
    said = "".join(str(e.data.get("text", "")) for e in read if e.type_ is RunEventType.TOKEN and e.data is not UNSET)
    counts = {type_: sum(event.type_ is type_ for event in read) for type_ in RunEventType}
    tool_calls = counts[RunEventType.TOOL_CALL]
    return Outcome(
        RunState.FAILED,
        {"answer": said, "partial": True} if said else None,
        RunInterruptedError(),
        {
            "steps": counts[RunEventType.STEP] + tool_calls,
            "tool_calls": tool_calls,
            "tokens": counts[RunEventType.TOKEN],
        },
        [],
    )
