"""`arpctl instances`."""

from typing import Annotated

from cyclopts import Parameter

from arp_cli.exit_codes import ExitCode
from arp_cli.session import Session
from arp_cli.tables import list_instances

EXAMPLES = """
Examples:

  arpctl instances
  arpctl instances --json | jq -r '.instances[].runtime_api_endpoint'
"""


def instances(*, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """List the runtime instances, and how many runs each has of those that it takes."""
    with session.client() as client, session.wait("reading instances"):
        found = client.list_instances()
    if session.json:
        session.write_json(found.to_dict())
    elif found.instances:
        session.write_table(list_instances(found.instances))
    else:
        session.note("No instances now. The daemon starts them when runs come.")
    return ExitCode.OK
