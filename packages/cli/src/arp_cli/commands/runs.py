"""`arpctl runs`."""

from datetime import datetime, timezone
from typing import Annotated, NamedTuple

from cyclopts import Parameter, validators

from arp_cli.errors import UsageError
from arp_cli.exit_codes import ExitCode
from arp_cli.run_request import read_labels
from arp_cli.session import Session
from arp_cli.tables import list_runs
from arp_sdk.daemon import RunFilter
from arp_sdk.models import UNSET, RunListResponse, RunState

EXAMPLES = """
Examples:

  arpctl runs
  arpctl runs --limit 100
  arpctl runs --all --label team=blue
  arpctl runs --state queued --state running
  arpctl runs --profile default --label team=blue
  arpctl runs --state failed --json | jq -r '.runs[].run_id'
"""

_DEFAULT_LIMIT = 20
# The most that the standard lets a page hold.
_MAX_LIMIT = 1000


class _Filter(NamedTuple):
    """Which runs are listed."""

    states: tuple[RunState, ...] = ()
    profile: str | None = None
    labels: tuple[str, ...] = ()

    def read(self) -> RunFilter:
        """As the SDK takes it."""
        return {
            "state": list(self.states) or None,
            "runtime_profile": self.profile,
            "label": list(self.labels) or None,
        }

    def words(self) -> list[str]:
        """The options that ask for it."""
        given = [("--state", state.value) for state in self.states]
        given += [("--profile", self.profile)] if self.profile is not None else []
        given += [("--label", label) for label in self.labels]
        return [word for option in given for word in option]


def runs(
    *,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=_MAX_LIMIT))] = _DEFAULT_LIMIT,
    every: Annotated[bool, Parameter(name="--all")] = False,
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
        How many at most; 1000 are the most.
    every
        All that fit, however many; --limit says nothing then.
    page_token
        Go on where an earlier list ended; it says with which token.
    state
        In this state. Can be given several times, for any of several.
    profile
        Meant for this runtime profile.
    label
        With this label. Can be given several times, for all of several.
    """
    if every and page_token is not None:
        raise UsageError("--all: it begins with the newest run; leave out --page-token.")
    only = _Filter(state, profile, tuple(f"{name}={value}" for name, value in read_labels(label).items()))
    with session.client() as client, session.wait("reading runs"):
        if every:
            found = RunListResponse(runs=list(client.iter_runs(**only.read(), page_size=_MAX_LIMIT)))
        else:
            found = client.list_runs(**only.read(), page_size=limit, page_token=page_token)
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
