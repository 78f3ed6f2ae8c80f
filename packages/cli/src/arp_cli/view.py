"""How a run is shown while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from arp_cli.event_lines import LABEL_WIDTH, LAST_TYPES, event_line, label, token_text
from arp_cli.session import is_live
from arp_cli.terminal_text import json_text
from arp_cli.terminal_view import TerminalView
from arp_sdk.models import RunEventType

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from arp_cli.session import Session
    from arp_sdk.models import RunEvent, RunState


class View(Protocol):
    """Shows one run, inside a `with` statement. Called by whoever follows the run."""

    def __enter__(self) -> View: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def tell_state(self, state: RunState) -> None:
        """Take note of the run's state; called when it may have changed, before the first event at the latest."""

    def show(self, event: RunEvent) -> None:
        """Show an event; called for each, in order."""


def open_view(session: Session) -> AbstractContextManager[View]:
    """The view that fits where stderr goes."""
    if session.json:
        return JsonView(session.err)
    return TerminalView(session.err) if is_live(session.err) else PlainView(session.err)


class JsonView:
    """Events as NDJSON, as they came."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> View:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def tell_state(self, state: RunState) -> None:
        """Programs ask for the state when they want it."""

    def show(self, event: RunEvent) -> None:
        """Print the whole event on one line."""
        self._console.print(json_text(event.to_dict()), soft_wrap=True)


class PlainView:
    """Lines, for files, pipes and terminals that can do no more. Tokens follow each other on one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._in_tokens = False

    def __enter__(self) -> View:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end_tokens()

    def tell_state(self, state: RunState) -> None:
        """The lines tell by themselves that the run goes on."""

    def show(self, event: RunEvent) -> None:
        """Print the event; the last one is the result's business."""
        if event.type_ is RunEventType.TOKEN:
            self._show_token(event)
            return
        self._end_tokens()
        if event.type_ not in LAST_TYPES:
            self._console.print(event_line(event), soft_wrap=True)

    def _show_token(self, event: RunEvent) -> None:
        if not self._in_tokens:
            self._console.print(label(event.type_), end="", soft_wrap=True)
        self._in_tokens = True
        text = token_text(event).replace("\n", "\n" + " " * LABEL_WIDTH)
        self._console.print(text, end="", soft_wrap=True)

    def _end_tokens(self) -> None:
        if self._in_tokens:
            self._console.print()
        self._in_tokens = False
