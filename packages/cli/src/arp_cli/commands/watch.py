"""`arpctl watch`."""

from typing import Annotated

from cyclopts import Parameter

from arp_cli.following import follow_run
from arp_cli.session import Session
from arp_sdk import AsyncDaemonClient, AsyncRunHandle

EXAMPLES = """
Example:

  arpctl watch run_01m816hz2nj5wqnkyk5j50hqx8

Ctrl-C leaves; the run goes on. Exit code: as that of `arpctl run`.
"""


def watch(run_id: str, /, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Follow a run from its first event, also one that has ended, and print its result.

    Parameters
    ----------
    run_id
        The run; see `arpctl runs`.
    """

    async def come_back(client: AsyncDaemonClient) -> AsyncRunHandle:
        return client.run_handle(run_id)

    return follow_run(session, come_back)
