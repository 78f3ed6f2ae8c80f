"""`arpctl profiles`."""

from typing import Annotated

from cyclopts import Parameter

from arp_cli.exit_codes import ExitCode
from arp_cli.session import Session
from arp_cli.tables import list_profiles

EXAMPLES = """
Examples:

  arpctl profiles
  arpctl profiles --json | jq '.profiles[] | select(.runtime_profile == "default")'
"""


def profiles(*, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """List the runtime profiles: what the daemon may launch."""
    with session.client() as client, session.wait("reading profiles"):
        found = client.list_runtime_profiles()
    if session.json:
        session.write_json(found.to_dict())
    elif found.profiles:
        session.write_table(list_profiles(found.profiles))
    else:
        session.note("There are no profiles: the daemon launches nothing.")
    return ExitCode.OK
