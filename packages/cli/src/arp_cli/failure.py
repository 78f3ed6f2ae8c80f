"""What went wrong with a call: for people with the cure, for programs as an ErrorEnvelope; and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from arp_cli.exit_codes import ExitCode
from arp_cli.terminal_text import clean, compact, json_text
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpRequestError, ArpTimeoutError

if TYPE_CHECKING:
    from arp_cli.session import Session

_NOT_CONNECTED = "connection_failed"


def report(error: ArpApiError, session: Session) -> ExitCode:
    """Tell of an error on stderr, and return what to exit with."""
    if session.json:
        session.err.print(json_text(envelope(error)), soft_wrap=True)
    else:
        for line in explain(error, session):
            session.err.print(line, soft_wrap=True)
    if isinstance(error, ArpRequestError):
        return ExitCode.USAGE
    return ExitCode.UNREACHABLE if isinstance(error, (ArpConnectionError, ArpTimeoutError)) else ExitCode.REFUSED


def envelope(error: ArpApiError) -> dict[str, Any]:
    """The error as the daemon sent it; one that no daemon sent, in the same form."""
    if isinstance(error.raw, dict):
        return error.raw
    details = {} if error.details is None else {"details": error.details}
    return {"error": {"code": error.code, "message": error.message, **details}}


def explain(error: ArpApiError, session: Session) -> list[Text]:
    """The error for people, line by line."""
    if isinstance(error, ArpConnectionError) and error.code == _NOT_CONNECTED:
        return [
            _headline(error.message),
            Text("Start one with `arp-daemon serve`, or name another with --url or ARP_DAEMON_URL."),
        ]
    if isinstance(error, (ArpConnectionError, ArpTimeoutError)):
        return [_headline(f"The connection to {session.url} failed: {error.message}")]
    return [_headline(error.message), Text(f"  {_origin(error)}", "dim"), *error_details(error.details)]


def error_details(details: Any) -> list[Text]:
    """An error's details, one a line; an empty text says nothing."""
    if not isinstance(details, dict):
        return [] if details is None else [Text(f"  {compact(details)}")]
    return [Text(f"  {clean(name)}: {_detail(value)}") for name, value in details.items() if value != ""]


def _detail(value: Any) -> str:
    """Texts stay texts, with their lines: such as the last words of a program that did not start."""
    return clean(value).rstrip().replace("\n", "\n    ") if isinstance(value, str) else compact(value)


def _origin(error: ArpApiError) -> str:
    return clean(error.code) if error.status_code is None else f"{clean(error.code)} (HTTP {error.status_code})"


def _headline(message: str) -> Text:
    return Text.assemble(("arpctl: ", "red"), clean(message))
