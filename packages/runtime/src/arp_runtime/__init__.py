"""Executes runs: one agent's work on one goal, over HTTP."""

from arp_runtime.agent import Agent, AgentContext
from arp_runtime.errors import (
    AgentError,
    InvalidToolArgumentsError,
    LimitExceededError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
)
from arp_runtime.tools import FunctionTool, Tool, ToolBox

__all__ = [
    "Agent",
    "AgentContext",
    "AgentError",
    "FunctionTool",
    "InvalidToolArgumentsError",
    "LimitExceededError",
    "Tool",
    "ToolBox",
    "ToolDeniedError",
    "ToolError",
    "ToolNotFoundError",
]
