"""The tool registry API's clients, and the types that they take and give."""

from __future__ import annotations

from arp_model import (
    Health,
    ToolDefinition,
    ToolInvocationRequest,
    ToolInvocationResult,
    VersionInfo,
)
from arp_sdk._invoke_tool import InvokeToolRequest
from arp_sdk.errors import ArpApiError
from arp_sdk.generated.tool_registry import (
    AsyncToolRegistryOperations,
    GetToolRequest,
    HealthRequest,
    ListToolsRequest,
    ToolRegistryOperations,
    VersionRequest,
)

__all__ = [
    "ArpApiError",
    "AsyncToolRegistryClient",
    "GetToolRequest",
    "Health",
    "HealthRequest",
    "InvokeToolRequest",
    "ListToolsRequest",
    "ToolDefinition",
    "ToolInvocationRequest",
    "ToolInvocationResult",
    "ToolRegistryClient",
    "VersionInfo",
    "VersionRequest",
]


class ToolRegistryClient(ToolRegistryOperations):
    """Calls a tool registry, blocking."""


class AsyncToolRegistryClient(AsyncToolRegistryOperations):
    """Calls a tool registry, to be awaited."""
