"""The command line `arp-daemon`."""

from __future__ import annotations

from arp_daemon.commands.serve import serve_daemon
from arp_daemon.commands.store_commands import check, repair
from arp_service.command_line import service_command_line


def main() -> None:
    """Entry point of `arp-daemon`."""
    app = service_command_line("arp-daemon", "arp-daemon", "Keeps runtime instances, and routes runs to them.")
    app.command(serve_daemon, name="serve")
    app.command(check)
    app.command(repair)
    app()
