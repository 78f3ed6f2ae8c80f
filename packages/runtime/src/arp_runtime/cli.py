"""The command line `arp-runtime`.

A launcher may import this module once, fork, and call `main` in the child with its own `sys.argv` and
environment. So all that `serve` needs is imported here, nothing reads the environment at import, and no thread is
started. What only people at a terminal need is imported by the command that needs it.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from arp_runtime.commands.serve import serve_command
from arp_service.command_line import service_command_line

if TYPE_CHECKING:
    import cyclopts

# These are imported on first use by those who use them: too late for a process that is forked from a warm one.
for _name in ("anyio._backends._asyncio", "anyio._core._signals", "cyclopts.config", "encodings.idna"):
    importlib.import_module(_name)

_EXAMPLES = (
    ("arp-runtime init my-agent", "write a project, with an agent and its test"),
    ('arp-runtime run --agent ./agent.py:agent "Ada"', "execute one run here, and print the answer"),
    ("arp-runtime serve --agent ./agent.py:agent", "serve runs on port 8081"),
)


def main() -> None:
    """Run `arp-runtime` with the arguments in `sys.argv`."""
    app = service_command_line("arp-runtime", "arp-runtime", "Executes runs: one agent's work on one goal.", _EXAMPLES)
    app.command(serve_command, name="serve")
    if sys.argv[1:2] != ["serve"]:
        _add_commands_for_people(app)
    app()


def _add_commands_for_people(app: cyclopts.App) -> None:
    """What an instance has no use for, and is slow to import."""
    for name in ("init", "run", "tools"):
        module = importlib.import_module(f"arp_runtime.commands.{name}")
        app.command(getattr(module, f"{name}_command"), name=name)
