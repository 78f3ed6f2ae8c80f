"""What comes of a run that has ended: its result, or an error that tells why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import RunEventType, RunResult, RunState, convert_lenient
from arp_sdk.errors import ArpRunCanceledError, ArpRunFailedError

if TYPE_CHECKING:
    from arp_model import RunEvent, RunStatus


class SucceededResult(RunResult):
    """The RunResult of a run that succeeded. `output` is always there, empty where the agent gave none."""

    output: dict[str, Any] = msgspec.field(default_factory=dict)


def read_outcome(status: RunStatus, result: RunResult) -> SucceededResult:
    """Return the result of a run that succeeded. Raises ArpRunFailedError or ArpRunCanceledError for any other."""
    if not result.ok:
        error = ArpRunCanceledError if status.state is RunState.CANCELED else ArpRunFailedError
        raise error(status, result)
    return _succeeded(result)


def find_success(event: RunEvent) -> SucceededResult | None:
    """Return the result of a run that succeeded, where its last event has it, as those of our services do.

    The standard leaves to a service what that event's data is: whatever else it may be is None.
    """
    data = event.data
    if event.type_ is not RunEventType.FINAL or not data or data.get("ok") is not True or "output" not in data:
        return None
    try:
        return _succeeded(convert_lenient({**data, "run_id": event.run_id}, RunResult))
    except msgspec.ValidationError:
        return None


def _succeeded(result: RunResult) -> SucceededResult:
    fields = {name: getattr(result, name) for name in result.__struct_fields__}
    return SucceededResult(**{**fields, "output": result.output or {}})
