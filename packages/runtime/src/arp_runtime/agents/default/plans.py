"""What the default agent can decide to do."""

from __future__ import annotations

from typing import Any, NamedTuple


class CallTool(NamedTuple):
    """Ask a tool, and answer with what it says."""

    tool_id: str
    args: dict[str, Any]


class Count(NamedTuple):
    """Say the numbers from 1 to `to`, one token each, `pause_s` apart."""

    to: int
    pause_s: float


class Wait(NamedTuple):
    """Do nothing for a while."""

    seconds: float


class Fail(NamedTuple):
    """End as failed, on purpose."""

    reason: str


Plan = CallTool | Count | Wait | Fail
