"""The command line `arp-daemon`."""

from __future__ import annotations

from arp_daemon.commands.serve import serve_daemon
from arp_daemon.commands.store_commands import check, repair
from arp_service.command_line import service_command_line

_EXAMPLES = (
    ("arp-daemon serve", "serve on port 8082, until Ctrl-C"),
    ("arp-daemon serve --port 0 --data-dir ./data", "on any free port, with data of its own"),
    ("arp-daemon serve --profiles profiles.toml", "with profiles from a file"),
    ("arp-daemon check", "verify what a stopped daemon has stored"),
)


def main() -> None:
    """Entry point of `arp-daemon`."""
    app = service_command_line(
        "arp-daemon", "arp-daemon", "Keeps runtime instances, and routes runs to them.", _EXAMPLES
    )
    app.command(serve_daemon, name="serve")
    app.command(check)
    app.command(repair)
    app()
