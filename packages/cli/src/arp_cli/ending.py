"""How a run ended: in a line on stderr; and on stdout what the agent answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from arp_cli.event_lines import answer_text, fields
from arp_cli.failure import error_details
from arp_cli.state_styles import state_text
from arp_cli.terminal_text import clean
from arp_cli.times import format_duration
from arp_sdk.models import UNSET

if TYPE_CHECKING:
    from arp_cli.session import Session
    from arp_sdk.models import RunResult, RunStatus


def show_end(session: Session, status: RunStatus, result: RunResult) -> None:
    """Print the end of a run. The answer of one that failed is only part of one, and goes to stderr."""
    if session.json:
        session.write_json(result.to_dict())
        return
    for line in describe_end(status, result):
        session.err.print(line, soft_wrap=True)
    if result.ok and result.output is not UNSET:
        session.out.print(answer(result), style="bold", soft_wrap=True)


def describe_end(status: RunStatus, result: RunResult) -> list[Text]:
    """How the run ended, why, and what it took."""
    lines = [_headline(status, result)]
    if result.error is not UNSET:
        lines.append(Text(f"  {clean(result.error.code)}: {clean(result.error.message)}"))
        lines.extend(error_details(None if result.error.details is UNSET else result.error.details))
    if not result.ok and result.output is not UNSET:
        lines.append(Text(f"  until then: {answer(result)}"))
    if result.usage is not UNSET and result.usage:
        lines.append(Text(f"  {fields(result.usage)}", "dim"))
    return lines


def answer(result: RunResult) -> str:
    """What the agent answers; nothing where there is no output."""
    return "" if result.output is UNSET else answer_text(result.output, indent=2)


def _headline(status: RunStatus, result: RunResult) -> Text:
    line = Text.assemble(state_text(status.state))
    if status.started_at is not UNSET and status.ended_at is not UNSET:
        line.append(f" in {format_duration((status.ended_at - status.started_at).total_seconds())}")
    if status.runtime_instance_id is not UNSET:
        line.append(f" on {clean(status.runtime_instance_id)}", "dim")
    return line
