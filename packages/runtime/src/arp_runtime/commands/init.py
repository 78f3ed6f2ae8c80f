"""`arp-runtime init`: a project for an agent of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

from arp_runtime.commands.new_project import CannotInitError, write_project


def init_command(name: str, /) -> None:
    """Write a small project with an agent and its test into a new folder; its README says how to go on.

    Parameters
    ----------
    name
        What the agent is called, such as my-agent; the folder and the package are called after it.
    """
    try:
        folder = write_project(Path.cwd(), name)
    except CannotInitError as error:
        sys.exit(f"arp-runtime: {error}")
    sys.stdout.write(
        f"{name} is written.\n\n"
        f"  cd {folder.name}\n"
        f'  arp-runtime run --agent ./src/{folder.name.replace("-", "_")}/agent.py:agent "Ada"\n'
    )
