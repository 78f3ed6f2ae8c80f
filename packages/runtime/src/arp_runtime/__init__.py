"""Executes runs: one agent's work on one goal, over HTTP."""

from arp_runtime.agents.context import Agent, AgentContext
from arp_runtime.agents.events import Ending
from arp_runtime.agents.sync_context import SyncAgentContext, SyncToolBox
from arp_runtime.errors import (
    AgentError,
    InvalidArtifactError,
    InvalidEventError,
    InvalidToolArgumentsError,
    InvalidToolResultError,
    LimitExceededError,
    RunHaltedError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
    ToolTimeoutError,
)
from arp_runtime.tools.box import CallOrigin, Tool, ToolBox
from arp_runtime.tools.functions import FunctionTool, tool

__all__ = [
    "Agent",
    "AgentContext",
    "AgentError",
    "CallOrigin",
    "Ending",
    "FunctionTool",
    "InvalidArtifactError",
    "InvalidEventError",
    "InvalidToolArgumentsError",
    "InvalidToolResultError",
    "LimitExceededError",
    "RunHaltedError",
    "SyncAgentContext",
    "SyncToolBox",
    "Tool",
    "ToolBox",
    "ToolDeniedError",
    "ToolError",
    "ToolNotFoundError",
    "ToolTimeoutError",
    "tool",
]
