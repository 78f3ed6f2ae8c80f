"""The colours of states, the same everywhere."""

from __future__ import annotations

from rich.text import Text

from arp_sdk.models import InstanceState, RunState, Status

STATE_STYLES: dict[RunState | InstanceState | Status, str] = {
    RunState.QUEUED: "yellow",
    RunState.RUNNING: "cyan",
    RunState.SUCCEEDED: "green",
    RunState.FAILED: "red",
    RunState.CANCELED: "magenta",
    InstanceState.STARTING: "yellow",
    InstanceState.READY: "green",
    InstanceState.BUSY: "cyan",
    InstanceState.STOPPING: "yellow",
    InstanceState.STOPPED: "dim",
    InstanceState.ERROR: "red",
    Status.OK: "green",
    Status.DEGRADED: "yellow",
    Status.DOWN: "red",
}


def state_text(state: RunState | InstanceState | Status) -> Text:
    """The state's word in its colour."""
    return Text(state.value, STATE_STYLES[state])
