"""The command line `arp-runtime`.

A launcher may import this module once, call `warm_up` and `prepare`, fork, and call `main` in the child with its own
`sys.argv` and environment. So by then all that `serve` needs is imported, nothing has read the environment, and no
thread is left. What only people at a terminal need is imported by the command that needs it.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import TYPE_CHECKING

from arp_runtime.app import DISTRIBUTION
from arp_runtime.commands.rehearsal import rehearse
from arp_runtime.commands.serve import serve_command
from arp_runtime.entry_points import find_entry_points
from arp_runtime.tools.loading import ENTRY_POINT_GROUP, builtin_tools
from arp_service.command_line import service_command_line
from arp_service.info import version_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_service.prepared_commands import CommandLine

_EXAMPLES = (
    ("arp-runtime init my-agent", "write a project, with an agent and its test"),
    ('arp-runtime run --agent ./agent.py:agent "Ada"', "execute one run here, and print the answer"),
    ("arp-runtime serve --agent ./agent.py:agent", "serve runs on port 8081"),
)


def main() -> None:
    """Run `arp-runtime` with the arguments in `sys.argv`."""
    _command_line(for_people=sys.argv[1:2] != ["serve"])()


@cache
def _command_line(*, for_people: bool) -> CommandLine:
    """The command line; what an instance has no use for is slow to import."""
    app = service_command_line("arp-runtime", DISTRIBUTION, "Executes runs: one agent's work on one goal.", _EXAMPLES)
    app.command(serve_command, name="serve")
    for name in ("init", "run", "tools") if for_people else ():
        module = importlib.import_module(f"arp_runtime.commands.{name}")
        app.command(getattr(module, f"{name}_command"), name=name)
    return app


def warm_up() -> None:
    """Do, once for all forks of this process, what each would do anew, in time and in memory of its own."""
    version_of(DISTRIBUTION)
    builtin_tools()
    find_entry_points(ENTRY_POINT_GROUP)
    _command_line(for_people=False).prepare("serve")
    rehearse()


def prepare(argv: Sequence[str]) -> None:
    """Parse, once for all forks that are called by it, a command line of an instance."""
    if argv[1:2] == ["serve"]:
        _command_line(for_people=False).prepare(*argv[1:])
