"""`arpctl runs`."""

from datetime import datetime, timezone
from typing import Annotated, NamedTuple

from cyclopts import Parameter, validators

from arp_cli.exit_codes import ExitCode
from arp_cli.run_request import read_labels
from arp_cli.session import Session
from arp_cli.tables import list_runs
from arp_sdk import DaemonClient
from arp_sdk.models import UNSET, Pagination, RunListResponse, RunState, RunStatus

EXAMPLES = """
Examples:

  arpctl runs
  arpctl runs --limit 100
  arpctl runs --state queued --state running
  arpctl runs --profile default --label team=blue
  arpctl runs --state failed --json | jq -r '.runs[].run_id'
"""

_DEFAULT_LIMIT = 20
# The most that the standard lets a page hold.
_MAX_PAGE = 1000


class _Filter(NamedTuple):
    """Which runs are listed."""

    states: tuple[RunState, ...] = ()
    profile: str | None = None
    labels: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """The options that ask for it."""
        given = [("--state", state.value) for state in self.states]
        given += [("--profile", self.profile)] if self.profile is not None else []
        given += [("--label", label) for label in self.labels]
        return [word for option in given for word in option]


def runs(
    *,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1))] = _DEFAULT_LIMIT,
    page_token: str | None = None,
    state: tuple[RunState, ...] = (),
    profile: Annotated[str | None, Parameter(metavar="NAME")] = None,
    label: Annotated[tuple[str, ...], Parameter(metavar="KEY=VALUE")] = (),
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """List runs, newest first; with a filter, those that fit all of it.

    Parameters
    ----------
    limit
        How many at most.
    page_token
        Go on where an earlier list ended; it says with which token.
    state
        In this state. Can be given several times, for any of several.
    profile
        Meant for this runtime profile.
    label
        With this label. Can be given several times, for all of several.
    """
    only = _Filter(state, profile, tuple(f"{name}={value}" for name, value in read_labels(label).items()))
    with session.client() as client, session.wait("reading runs"):
        found = _read(client, only, limit, page_token)
    if session.json:
        session.write_json(found.to_dict())
        return ExitCode.OK
    if not found.runs and only != _Filter():
        session.note("No run fits.")
        return ExitCode.OK
    if not found.runs:
        session.note(f"No runs yet. Start one with:  {session.command('run', 'What is (19*23)?')}")
        return ExitCode.OK
    now = datetime.now(timezone.utc)
    session.write_table(list_runs(found.runs, now, ages=session.out.is_terminal))
    token = UNSET if found.pagination is UNSET else found.pagination.next_page_token
    if token is not UNSET:
        more = session.command("runs", *only.words(), "--limit", str(limit), "--page-token", token)
        session.note(f"There are more:  {more}", "dim")
    return ExitCode.OK


def _read(client: DaemonClient, only: _Filter, limit: int, token: str | None) -> RunListResponse:
    """Read as many pages as it takes; what comes back is like one page of that size."""
    found: list[RunStatus] = []
    while True:
        page = client.list_runs(
            page_size=min(limit - len(found), _MAX_PAGE),
            page_token=token,
            state=list(only.states) or None,
            runtime_profile=only.profile,
            label=list(only.labels) or None,
        )
        found.extend(page.runs)
        following = UNSET if page.pagination is UNSET else page.pagination.next_page_token
        if following is UNSET or not page.runs or len(found) >= limit:
            return RunListResponse(runs=found, pagination=Pagination(next_page_token=following))
        token = following
