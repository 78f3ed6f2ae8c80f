"""`arpctl runs`."""

from datetime import datetime, timezone
from typing import Annotated

from cyclopts import Parameter, validators

from arp_cli.exit_codes import ExitCode
from arp_cli.session import Session
from arp_cli.tables import list_runs
from arp_sdk import DaemonClient
from arp_sdk.models import UNSET, Pagination, RunListResponse, RunStatus

EXAMPLES = """
Examples:

  arpctl runs
  arpctl runs --limit 100
  arpctl runs --json | jq -r '.runs[] | select(.state == "failed") | .run_id'
"""

_DEFAULT_LIMIT = 20
# The most that the standard lets a page hold.
_MAX_PAGE = 1000


def runs(
    *,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1))] = _DEFAULT_LIMIT,
    page_token: str | None = None,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """List runs, newest first.

    Parameters
    ----------
    limit
        How many at most.
    page_token
        Go on where an earlier list ended; it says with which token.
    """
    with session.client() as client, session.wait("reading runs"):
        found = _read(client, limit, page_token)
    if session.json:
        session.write_json(found.to_dict())
        return ExitCode.OK
    if not found.runs:
        session.note(f"No runs yet. Start one with:  {session.command('run', 'What is (19*23)?')}")
        return ExitCode.OK
    now = datetime.now(timezone.utc)
    session.write_table(list_runs(found.runs, now, ages=session.out.is_terminal))
    token = UNSET if found.pagination is UNSET else found.pagination.next_page_token
    if token is not UNSET:
        session.note(f"There are more:  {session.command('runs', '--limit', str(limit), '--page-token', token)}", "dim")
    return ExitCode.OK


def _read(client: DaemonClient, limit: int, token: str | None) -> RunListResponse:
    """Read as many pages as it takes; what comes back is like one page of that size."""
    found: list[RunStatus] = []
    while True:
        page = client.list_runs(page_size=min(limit - len(found), _MAX_PAGE), page_token=token)
        found.extend(page.runs)
        following = UNSET if page.pagination is UNSET else page.pagination.next_page_token
        if following is UNSET or not page.runs or len(found) >= limit:
            return RunListResponse(runs=found, pagination=Pagination(next_page_token=following))
        token = following
