"""From how a run ended to its result. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arp_model import UNSET, RunResult, RunState
from arp_runtime.agents.returned import error_detail

if TYPE_CHECKING:
    from arp_runtime.runs.execution import Outcome

ABANDONED = "arp.abandoned"
"""In a result's `extensions`, true: the agent did not stop in time, and may still be at work."""


def describe(run_id: str, outcome: Outcome, *, abandoned: bool = False) -> tuple[dict[str, Any], bytes]:
    """The last event's data, and the RunResult as JSON: the same but for the run_id.

    Raises:
        TypeError, ValueError, RecursionError: something of the outcome is no JSON.
    """
    result = RunResult(
        run_id=run_id,
        ok=outcome.state is RunState.SUCCEEDED,
        output=UNSET if outcome.output is None else outcome.output,
        error=UNSET if outcome.error is None else error_detail(outcome.error),
        artifacts=outcome.artifacts or UNSET,
        usage=outcome.usage,
        extensions={ABANDONED: True} if abandoned else UNSET,
    )
    data = result.to_dict()
    del data["run_id"]
    return data, result.to_json()
