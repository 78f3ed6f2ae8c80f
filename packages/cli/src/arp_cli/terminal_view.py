"""A run on a terminal: finished lines scroll by, and below them the line that grows and how long it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells
from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from arp_cli.event_lines import LABEL_WIDTH, LAST_TYPES, event_line, label, token_text
from arp_cli.times import format_elapsed
from arp_sdk.models import RunEventType, RunState

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from arp_sdk.models import RunEvent

_FRAMES_A_SECOND = 10
_MIN_TEXT_WIDTH = 20
# More combining marks than this on every letter are not text.
_CHARACTERS_A_CELL = 8


class TerminalView:
    """Lines that are finished are printed for good, so that a long answer can be scrolled back to."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = RunState.QUEUED
        self._since = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")
        self._prefix = Text()
        self._growing: str | None = None
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> TerminalView:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end_tokens()
        self._live.stop()

    def tell_state(self, state: RunState) -> None:
        """Change the word beside the spinner, and start its clock anew."""
        if state is not self._state:
            self._state, self._since = state, time.monotonic()

    def show(self, event: RunEvent) -> None:
        """Print the event, or let the line of tokens grow; the last event is the result's business."""
        if event.type_ is RunEventType.TOKEN:
            self._grow(event)
            return
        self._end_tokens()
        if event.type_ not in LAST_TYPES:
            self._print(event_line(event))

    def _grow(self, event: RunEvent) -> None:
        if self._growing is None:
            self._growing, self._prefix = "", label(event.type_)
        *finished, self._growing = self._break(self._growing + token_text(event))
        for line in finished:
            self._print_growing(line)

    def _break(self, text: str) -> list[str]:
        """Break the text where the terminal's lines end; the last of the lines may still grow."""
        width = max(self._console.width - LABEL_WIDTH - 1, _MIN_TEXT_WIDTH)
        return [line for part in text.split("\n") for line in break_line(part, width)]

    def _print_growing(self, line: str) -> None:
        self._print(Text.assemble(self._prefix, line))
        self._prefix = Text(" " * LABEL_WIDTH)

    def _end_tokens(self) -> None:
        if self._growing is not None:
            self._print_growing(self._growing)
        self._growing = None

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _render(self) -> RenderableType:
        waited = format_elapsed(time.monotonic() - self._since)
        self._spinner.update(text=Text(f"{self._state.value} {waited}", "dim"))
        if self._growing is None:
            return self._spinner
        return Group(Text.assemble(self._prefix, self._growing), self._spinner)


def break_line(text: str, width: int) -> list[str]:
    """Break one line into lines of at most `width` cells, at a space where there is one. At least one comes back."""
    lines: list[str] = []
    start = 0
    while True:
        # What comes after so many characters is not looked at: a token may be as long as a book.
        window = text[start : start + _CHARACTERS_A_CELL * width]
        if cell_len(window) <= width:
            return [*lines, text[start:]]
        fitting = len(chop_cells(window, width)[0])
        end = window.rfind(" ", 0, fitting + 1) + 1 or fitting
        lines.append(window[:end].rstrip())
        start += end
