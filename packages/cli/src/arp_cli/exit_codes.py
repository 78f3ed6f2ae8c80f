"""What arpctl's exit code says. Scripts rely on it; docs/cli.md lists it."""

from __future__ import annotations

from enum import IntEnum

from arp_sdk.models import RunResult, RunState


class ExitCode(IntEnum):
    """A signal that ends arpctl gives 128 and its number, as in shells: 130 for Ctrl-C."""

    OK = 0
    FAILED = 1
    """The run failed; for `arpctl status`: the daemon is not ok."""
    USAGE = 2
    """The command line makes no sense."""
    UNREACHABLE = 3
    """No daemon answers, or the connection to it broke."""
    REFUSED = 4
    """The daemon answered with an error."""
    CANCELED = 130
    """The run was canceled."""
    BROKEN_PIPE = 141
    """Whoever read the output has enough."""


def exit_code_of(state: RunState, result: RunResult) -> ExitCode:
    """The exit code for a run that has ended."""
    if result.ok:
        return ExitCode.OK
    return ExitCode.CANCELED if state is RunState.CANCELED else ExitCode.FAILED
