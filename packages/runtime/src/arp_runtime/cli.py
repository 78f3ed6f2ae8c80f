"""The command line `arp-runtime`.

A launcher may import this module once, fork, and call `main` in the child with its own `sys.argv` and
environment. So all that `serve` needs is imported here, nothing reads the environment at import, and no thread is
started. What only people at a terminal need is imported by the command that needs it.
"""

from __future__ import annotations

import importlib

from arp_runtime.commands.serve import serve_command
from arp_service.command_line import service_command_line

# These are imported on first use by those who use them: too late for a process that is forked from a warm one.
for _name in ("anyio._backends._asyncio", "anyio._core._signals", "cyclopts.config", "encodings.idna"):
    importlib.import_module(_name)


def main() -> None:
    """Run `arp-runtime` with the arguments in `sys.argv`."""
    app = service_command_line("arp-runtime", "arp-runtime", "Executes runs: one agent's work on one goal.")
    app.command(serve_command, name="serve")
    app.command("arp_runtime.commands.run:run_command", name="run")
    app.command("arp_runtime.commands.init:init_command", name="init")
    app.command("arp_runtime.commands.tools:tools_command", name="tools")
    app()
