"""What an agent is told of its run: the request, with nothing missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arp_model import Metadata, RunRequestLimits

if TYPE_CHECKING:
    from arp_model import RunRequest


class RunInput:
    """The parts of a RunRequest that concern an agent; what the request leaves out is empty."""

    def __init__(self, request: RunRequest, run_id: str) -> None:
        self.run_id = run_id
        self.goal = request.input_.goal
        """What is to be achieved, in plain language."""
        self.context: dict[str, Any] = request.input_.context or {}
        """Background that may be used."""
        self.data: dict[str, Any] = request.input_.data or {}
        """Material that the goal is about."""
        self.limits = request.limits or RunRequestLimits()
        self.metadata = request.metadata or Metadata()
