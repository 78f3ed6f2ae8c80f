"""Executes runs: one agent's work on one goal, over HTTP."""

from arp_runtime.agent import Agent, AgentContext
from arp_runtime.agent_events import Ending
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
from arp_runtime.function_tools import FunctionTool, tool
from arp_runtime.sync_agent import SyncAgentContext, SyncToolBox
from arp_runtime.tools import CallOrigin, Tool, ToolBox

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
