"""What comes of a run that has ended: its result, or an error that tells why there is none."""

from __future__ import annotations

from typing import Any

import msgspec

from arp_model import RunResult, RunState, RunStatus
from arp_sdk.errors import ArpRunCanceledError, ArpRunFailedError


class SucceededResult(RunResult):
    """The RunResult of a run that succeeded. `output` is always there, empty where the agent gave none."""

    output: dict[str, Any] = msgspec.field(default_factory=dict)


def read_outcome(status: RunStatus, result: RunResult) -> SucceededResult:
    """Return the result of a run that succeeded. Raises ArpRunFailedError or ArpRunCanceledError for any other."""
    if not result.ok:
        error = ArpRunCanceledError if status.state is RunState.CANCELED else ArpRunFailedError
        raise error(status, result)
    fields = {name: getattr(result, name) for name in result.__struct_fields__}
    return SucceededResult(**{**fields, "output": result.output or {}})
