"""Clients for any ARP Standard v1 daemon, runtime or tool registry."""

from __future__ import annotations

from arp_sdk import clients, daemon, errors, models, runtime, tool_registry
from arp_sdk._run_handle import AsyncRunHandle, RunHandle
from arp_sdk._version import __version__
from arp_sdk.daemon import AsyncDaemonClient, DaemonClient
from arp_sdk.errors import (
    ArpApiError,
    ArpConnectionError,
    ArpRequestError,
    ArpResponseError,
    ArpRunCanceledError,
    ArpRunError,
    ArpRunFailedError,
    ArpTimeoutError,
    ArpWaitTimeoutError,
)
from arp_sdk.runtime import AsyncRuntimeClient, RuntimeClient
from arp_sdk.tool_registry import AsyncToolRegistryClient, ToolRegistryClient

__all__ = [
    "ArpApiError",
    "ArpConnectionError",
    "ArpRequestError",
    "ArpResponseError",
    "ArpRunCanceledError",
    "ArpRunError",
    "ArpRunFailedError",
    "ArpTimeoutError",
    "ArpWaitTimeoutError",
    "AsyncDaemonClient",
    "AsyncRunHandle",
    "AsyncRuntimeClient",
    "AsyncToolRegistryClient",
    "DaemonClient",
    "RunHandle",
    "RuntimeClient",
    "ToolRegistryClient",
    "__version__",
    "clients",
    "daemon",
    "errors",
    "models",
    "runtime",
    "tool_registry",
]
