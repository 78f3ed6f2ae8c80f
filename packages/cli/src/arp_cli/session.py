"""What every command is given: the daemon it talks to, and where its words go."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console

from arp_cli.exit_codes import ExitCode
from arp_cli.tables import table_lines
from arp_cli.terminal_text import json_text
from arp_sdk import AsyncDaemonClient, DaemonClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_cli.tables import Rows

DEFAULT_URL = "http://127.0.0.1:8082"
URL_VARIABLE = "ARP_DAEMON_URL"
# Where the output is no terminal, nobody wants its lines broken.
_UNBROKEN = 10_000


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """End at once: whoever reads has enough. Rich's own way looks like a run that failed."""
        # Python flushes once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        raise SystemExit(ExitCode.BROKEN_PIPE)


def make_console(*, stderr: bool) -> Console:
    """A console for text from anywhere: nothing in it is markup, emoji or worth a colour of rich's own choice."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNBROKEN
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


def is_live(console: Console) -> bool:
    """Tell whether what is printed may be taken back: on a terminal that can, and not in a log with colours."""
    return console.is_interactive and console.file.isatty()


@dataclass(frozen=True)
class Session:
    """One call of arpctl. Results go to `out`; progress, notes and errors to `err`."""

    url: str
    json: bool
    out: Console = field(default_factory=lambda: make_console(stderr=False))
    err: Console = field(default_factory=lambda: make_console(stderr=True))

    def client(self) -> DaemonClient:
        """A client of the daemon, blocking. Close it. Who waits at a terminal is told at once what is wrong."""
        return DaemonClient(self.url, retries=0)

    def async_client(self) -> AsyncDaemonClient:
        """The same, to be awaited."""
        return AsyncDaemonClient(self.url, retries=0)

    def command(self, *words: str) -> str:
        """An arpctl command that reaches the same daemon, ready to be pasted into a shell."""
        flag = [] if self.url == os.environ.get(URL_VARIABLE, DEFAULT_URL) else ["--url", self.url]
        return shlex.join(["arpctl", *words, *flag])

    @contextmanager
    def wait(self, what: str) -> Iterator[None]:
        """Show a spinner on a terminal while the block takes its time."""
        if self.json or not is_live(self.err):
            yield
            return
        with self.err.status(f"{what} …", spinner="dots"):
            yield

    def write_json(self, value: Any) -> None:
        """Print a result for programs."""
        self.out.print(json_text(value, indent=2), soft_wrap=True)

    def write_table(self, content: Rows) -> None:
        """Print a list for people."""
        for line in table_lines(content, self.out.width):
            self.out.print(line, soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Say something beside the result; programs are spared it."""
        if not self.json:
            self.err.print(text, style=style, soft_wrap=True)
