"""`arpctl result`."""

from typing import Annotated

from cyclopts import Parameter

from arp_cli.ending import show_end
from arp_cli.exit_codes import exit_code_of
from arp_cli.session import Session

EXAMPLES = """
Examples:

  arpctl result run_01m816hz2nj5wqnkyk5j50hqx8
  arpctl result run_01m816hz2nj5wqnkyk5j50hqx8 --json

Exit code: as that of `arpctl run`; 4 while the run has not ended.
"""


def result(run_id: str, /, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Print the result of a run that has ended.

    Parameters
    ----------
    run_id
        The run; see `arpctl runs`.
    """
    with session.client() as client:
        found = client.get_run_result(run_id)
        status = client.get_run_status(run_id)
    show_end(session, status, found)
    return exit_code_of(status.state, found)
