"""`arpctl cancel`."""

from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from arp_cli.exit_codes import ExitCode
from arp_cli.session import Session
from arp_cli.state_styles import state_text
from arp_cli.terminal_text import clean
from arp_sdk import ArpWaitTimeoutError
from arp_sdk.models import RunState, RunStatus

EXAMPLES = """
Example:

  arpctl cancel run_01m816hz2nj5wqnkyk5j50hqx8

Exit code: 0 when the run has ended, however it did; 1 when it has not yet.
"""

# An agent may take its time to end. Nobody wants to wait for longer without a word.
_WAIT_S = 10.0
_OPEN = frozenset({RunState.QUEUED, RunState.RUNNING})


def cancel(run_id: str, /, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Cancel a run, and wait a moment for it to end.

    Parameters
    ----------
    run_id
        The run; see `arpctl runs`.
    """
    status = _cancel(session, run_id)
    if session.json:
        session.write_json(status.to_dict())
    else:
        session.out.print(Text.assemble(clean(status.run_id), "  ", state_text(status.state)), soft_wrap=True)
    if status.state not in _OPEN:
        return ExitCode.OK
    session.note(f"It is asked to end. See how it does with:  {session.command('watch', run_id)}")
    return ExitCode.FAILED


def _cancel(session: Session, run_id: str) -> RunStatus:
    with session.client() as client:
        status = client.cancel_run(run_id)
        with session.wait("canceling"), suppress(ArpWaitTimeoutError):
            status = client.wait_for_run(run_id, _WAIT_S)
    return status
