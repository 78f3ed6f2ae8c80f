"""`arpctl run`."""

from typing import Annotated

from cyclopts import Parameter

from arp_cli.exit_codes import ExitCode
from arp_cli.following import follow_run
from arp_cli.run_request import RunOptions, read_goal, read_options
from arp_cli.session import Session
from arp_sdk import AsyncDaemonClient, AsyncRunHandle, RunHandle

_NO_OPTIONS = RunOptions()

EXAMPLES = """
Examples:

  arpctl run "What is (19*23)?"
  arpctl run "What time is it in UTC?" --timeout-ms 5000 --label team=blue
  arpctl run "Summarize" --data @report.json --max-tokens 2000
  arpctl run - < goal.txt > answer.txt
  id=$(arpctl run "count to 100 slowly" --detach); arpctl watch $id
  arpctl run "What is 2+2" --json | jq .output.answer

The answer goes to stdout, all else to stderr. Ctrl-C leaves; the run goes on.
Exit code: 0 succeeded, 1 failed, 130 canceled, and as `arpctl --help` says.
"""


def run(
    goal: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    options: RunOptions = _NO_OPTIONS,
    detach: bool = False,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Submit a run, follow it live, and print its result.

    Parameters
    ----------
    goal
        What is to be achieved, in plain language; - reads it from standard input.
    detach
        Only submit the run, and print its id.
    """
    what, how = read_goal(goal), read_options(options)
    if detach:
        with session.client() as client:
            _print_submitted(session, client.run(what, **how))
        return ExitCode.OK

    async def submit(client: AsyncDaemonClient) -> AsyncRunHandle:
        return await client.run(what, **how)

    return follow_run(session, submit)


def _print_submitted(session: Session, run: RunHandle) -> None:
    if session.json:
        session.write_json(run.status().to_dict())
    else:
        session.out.print(run.run_id, soft_wrap=True)
