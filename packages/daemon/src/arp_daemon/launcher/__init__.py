"""The launcher: a process of its own that starts, watches and ends instance processes, and the way to it.

The daemon uses `open_launcher`; `python -m arp_daemon.launcher` is the process. See docs/architecture.md.
"""

from __future__ import annotations

from arp_daemon.launcher.client import LauncherClient, open_launcher
from arp_daemon.launcher.errors import (
    InstanceExistsError,
    InvalidSpecError,
    LauncherError,
    LauncherGoneError,
    LauncherStartError,
    LauncherStoppingError,
    LaunchFailedError,
    ProgramNotFoundError,
    StopFailedError,
    UnknownInstanceError,
)
from arp_daemon.launcher.protocol import Exited, InstanceRecord, Launched, LaunchSpec

__all__ = [
    "Exited",
    "InstanceExistsError",
    "InstanceRecord",
    "InvalidSpecError",
    "LaunchFailedError",
    "LaunchSpec",
    "Launched",
    "LauncherClient",
    "LauncherError",
    "LauncherGoneError",
    "LauncherStartError",
    "LauncherStoppingError",
    "ProgramNotFoundError",
    "StopFailedError",
    "UnknownInstanceError",
    "open_launcher",
]
