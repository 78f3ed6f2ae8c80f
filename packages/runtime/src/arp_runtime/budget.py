"""What a run may use, and what it has used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from arp_model import UNSET
from arp_runtime.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_model import RunRequestLimits, UnsetType


class Budget:
    """Counts steps, tool calls and tokens. A step is a `step` event or a tool call, so none is free.

    `halt` is called where a limit is reached, before the error is raised: a run whose agent catches the error
    ends all the same.
    """

    __slots__ = ("_halt", "max_steps", "max_tokens", "steps", "tokens", "tool_calls")

    def __init__(self, limits: RunRequestLimits | UnsetType, halt: Callable[[LimitExceededError], None]) -> None:
        self._halt = halt
        self.max_steps = UNSET if limits is UNSET else limits.max_steps
        self.max_tokens = UNSET if limits is UNSET else limits.max_tokens
        self.steps = 0
        self.tokens = 0
        self.tool_calls = 0

    def spend_step(self) -> None:
        """Count a step.

        Raises:
            LimitExceededError: it would be one over `max_steps`.
        """
        if self.max_steps is not UNSET and self.steps >= self.max_steps:
            self._exceed("max_steps", self.max_steps)
        self.steps += 1

    def spend_tool_call(self) -> None:
        """Count a tool call, which is a step too; see `spend_step`."""
        self.spend_step()
        self.tool_calls += 1

    def spend_token(self) -> None:
        """Count a token.

        Raises:
            LimitExceededError: it would be one over `max_tokens`.
        """
        if self.max_tokens is not UNSET and self.tokens >= self.max_tokens:
            self._exceed("max_tokens", self.max_tokens)
        self.tokens += 1

    def usage(self) -> dict[str, Any]:
        """What goes into the result."""
        return {"steps": self.steps, "tool_calls": self.tool_calls, "tokens": self.tokens}

    def _exceed(self, limit: str, value: int) -> NoReturn:
        error = LimitExceededError(limit, value)
        self._halt(error)
        raise error
