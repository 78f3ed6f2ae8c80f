"""Executes runs: one agent's work on one goal, over HTTP."""

from arp_runtime.agent import Agent, AgentContext
from arp_runtime.agent_events import Final
from arp_runtime.errors import (
    AgentError,
    InvalidArtifactError,
    InvalidEventError,
    InvalidToolArgumentsError,
    LimitExceededError,
    RunHaltedError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
)
from arp_runtime.sync_agent import SyncAgentContext, SyncToolBox
from arp_runtime.tools import FunctionTool, Tool, ToolBox

__all__ = [
    "Agent",
    "AgentContext",
    "AgentError",
    "Final",
    "FunctionTool",
    "InvalidArtifactError",
    "InvalidEventError",
    "InvalidToolArgumentsError",
    "LimitExceededError",
    "RunHaltedError",
    "SyncAgentContext",
    "SyncToolBox",
    "Tool",
    "ToolBox",
    "ToolDeniedError",
    "ToolError",
    "ToolNotFoundError",
]
