"""`arpctl`, assembled."""

from __future__ import annotations

import sys
from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import App, CycloptsError, Group, Parameter, UnusedCliTokensError
from rich.text import Text

from arp_cli.commands import cancel, instances, logs, profiles, result, run, runs, status, watch
from arp_cli.errors import UsageError
from arp_cli.exit_codes import ExitCode
from arp_cli.failure import report
from arp_cli.session import DEFAULT_URL, URL_VARIABLE, Session
from arp_sdk import DaemonClient
from arp_sdk.errors import ArpApiError

if TYPE_CHECKING:
    from collections.abc import Callable

_HELP = "Submit runs, watch them, and look after an ARP daemon."
_EXAMPLES = """
Examples:

  arp-daemon serve                           start a daemon, elsewhere
  arpctl run "What is (19*23)?"              submit, follow, print the answer
  arpctl run "count to 100 slowly" --detach  only submit; prints the run's id
  arpctl watch RUN_ID                        follow it; Ctrl-C cancels nothing
  arpctl cancel RUN_ID                       end it
  arpctl runs                                what ran, and what runs
  arpctl logs INSTANCE_ID --follow           what an agent's process says
  arpctl status && echo "all is well"

Exit codes:

  0    it worked, and the run succeeded
  1    the run failed, or the daemon is not ok
  2    the command line makes no sense
  3    no daemon answers, or the connection broke
  4    the daemon refused
  130  the run was canceled, or you left with Ctrl-C
"""


def _explain_usage(error: CycloptsError) -> Text:
    command = " ".join(error.command_chain or ())
    message = str(error)
    if isinstance(error, UnusedCliTokensError):
        message = _explain_unused(error, command)
    return Text(f"arpctl: {message}\nSee `arpctl {command + ' ' if command else ''}--help`.")


def _explain_unused(error: UnusedCliTokensError, command: str) -> str:
    """A goal may begin with a minus, and so takes what was to be an option for itself."""
    known = {name for argument in app[command].assemble_argument_collection() for name in argument.names}
    for word in error.root_input_tokens or ():
        option = word.partition("=")[0]
        if option.startswith("--") and option not in known:
            return f"Unknown option: {option}."
    question = f"What is {' '.join(error.unused_tokens or ())!r} for?"
    return f"{question} A goal of several words needs quotes." if command == "run" else question


app = App(
    name="arpctl",
    help=_HELP,
    help_epilogue=_EXAMPLES,
    help_format="plaintext",
    version=lambda: distribution_version("arp-cli"),
    default_parameter=Parameter(negative=(), show_default=False),
    error_formatter=_explain_usage,
)
app.meta.group_parameters = Group("Every command", sort_key=9)
_COMMANDS: list[tuple[Callable[..., int], str]] = [
    (run.run, run.EXAMPLES),
    (watch.watch, watch.EXAMPLES),
    (result.result, result.EXAMPLES),
    (cancel.cancel, cancel.EXAMPLES),
    (runs.runs, runs.EXAMPLES),
    (instances.instances, instances.EXAMPLES),
    (logs.logs, logs.EXAMPLES),
    (profiles.profiles, profiles.EXAMPLES),
    (status.status, status.EXAMPLES),
]
for _place, (_function, _examples) in enumerate(_COMMANDS):
    app.command(_function, sort_key=_place, help_epilogue=_examples)


def _check_url(_type: object, url: str) -> None:
    """Raise ValueError where no client can be made for it."""
    DaemonClient(url).close()
    if urlsplit(url).port == 0:
        raise ValueError("Nothing listens on port 0.")


@app.meta.default
def dispatch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    url: Annotated[str, Parameter(env_var=URL_VARIABLE, validator=_check_url, show_default=True)] = DEFAULT_URL,
    json: bool = False,
) -> int:
    """Read what all commands have in common, then call the one that is meant.

    Parameters
    ----------
    url
        Where the daemon is.
    json
        Print the result as JSON; events and errors go to stderr, as JSON too, one a line.
    """
    session = Session(url.rstrip("/"), json)
    command, bound, injected = app.parse_args(tokens)
    try:
        code: int | None = command(*bound.args, **bound.kwargs, **dict.fromkeys(injected, session))
    except UsageError as exc:
        session.err.print(f"arpctl: {exc}", soft_wrap=True)
        return ExitCode.USAGE
    except ArpApiError as exc:
        return report(exc, session)
    return code or ExitCode.OK


def main() -> None:
    """Entry point of `arpctl`."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding lacks must not end the program.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app.meta()
