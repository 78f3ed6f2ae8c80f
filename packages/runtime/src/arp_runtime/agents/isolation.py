"""Plain functions in a process for each run, which can be killed: `--agent-isolation process`.

To the runtime such a process is a command like any other; `arp_runtime.agents.isolated` is what runs in it.
"""

from __future__ import annotations

import sys

from arp_runtime.agents.command import CommandAgent
from arp_runtime.agents.kinds import LoadedAgent, Workplace


def isolate(name: str) -> LoadedAgent:
    """Return an agent that calls the plain function with this name in a process of its own."""
    return LoadedAgent(CommandAgent([sys.executable, "-m", "arp_runtime.agents.isolated", name]), Workplace.PROCESS)
