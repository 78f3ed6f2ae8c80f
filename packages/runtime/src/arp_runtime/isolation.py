"""Plain functions in a process for each run, which can be killed: `--agent-isolation process`.

To the runtime such a process is a command like any other; `arp_runtime.isolated` is what runs in it.
"""

from __future__ import annotations

import sys

from arp_runtime.agent_kinds import LoadedAgent, Workplace
from arp_runtime.command_agent import CommandAgent


def isolate(name: str) -> LoadedAgent:
    """Return an agent that calls the plain function with this name in a process of its own."""
    return LoadedAgent(CommandAgent([sys.executable, "-m", "arp_runtime.isolated", name]), Workplace.PROCESS)
