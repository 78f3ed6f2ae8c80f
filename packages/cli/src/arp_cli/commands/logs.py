"""`arpctl logs`."""

from contextlib import closing
from typing import Annotated, Literal

from cyclopts import Parameter, validators

from arp_cli.errors import UsageError
from arp_cli.exit_codes import ExitCode
from arp_cli.session import Session
from arp_cli.terminal_text import clean

EXAMPLES = """
Examples:

  arpctl logs inst_01m816hz2nj5wqnkyk5j50hqx8
  arpctl logs inst_01m816hz2nj5wqnkyk5j50hqx8 --stream stdout --lines 1000
  arpctl logs inst_01m816hz2nj5wqnkyk5j50hqx8 --follow

Those that ended last have theirs still. Ctrl-C leaves; the instance goes on.
"""

_DEFAULT_LINES = 100
# As many as a daemon gives.
_MAX_LINES = 10_000


def logs(
    instance_id: str,
    /,
    *,
    stream: Literal["stderr", "stdout"] = "stderr",
    lines: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=_MAX_LINES))] = _DEFAULT_LINES,
    follow: bool = False,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Print what a runtime instance has written last; its agent's words are among it.

    Parameters
    ----------
    instance_id
        The instance; see `arpctl instances` and `arpctl runs`.
    stream
        Which of its streams; without it, stderr.
    lines
        How many lines, 100 if nothing else is said and 10000 at most.
    follow
        Go on with what comes, until the instance ends.
    """
    if follow:
        return _follow(instance_id, stream, lines, session)
    with session.client() as client:
        text = client.get_instance_logs(instance_id, stream=stream, lines=lines)
    if session.json:
        session.write_json({"instance_id": instance_id, "stream": stream, "text": text})
    elif text:
        session.out.print(clean(text), end="", soft_wrap=True)
    else:
        session.note(f"Nothing was written to {stream}.")
    return ExitCode.OK


def _follow(instance_id: str, stream: str, lines: int, session: Session) -> int:
    if session.json:
        raise UsageError("--follow: what is followed is no JSON document; leave out --json.")
    with (
        session.client() as client,
        closing(client.iter_instance_logs(instance_id, stream=stream, lines=lines)) as pieces,
    ):
        for piece in pieces:
            session.out.print(clean(piece), end="", soft_wrap=True)
    return ExitCode.OK
