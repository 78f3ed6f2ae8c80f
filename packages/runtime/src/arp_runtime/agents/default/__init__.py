"""The agent that serves where none was named."""

from arp_runtime.agents.default.agent import default_agent

__all__ = ["default_agent"]
