"""Which tools a run may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_model import UNSET

if TYPE_CHECKING:
    from arp_model import RunRequestToolPolicy, UnsetType


class ToolPolicy:
    """Deny wins over allow; an allow list, even an empty one, means nothing else. No policy allows all."""

    __slots__ = ("_allowed", "_denied")

    def __init__(self, policy: RunRequestToolPolicy | UnsetType) -> None:
        self._allowed: frozenset[str] | None = None
        self._denied: frozenset[str] = frozenset()
        if policy is UNSET:
            return
        if policy.allow_tool_ids is not UNSET:
            self._allowed = frozenset(policy.allow_tool_ids)
        if policy.deny_tool_ids is not UNSET:
            self._denied = frozenset(policy.deny_tool_ids)

    def permits(self, tool_id: str) -> bool:
        """Whether the run may use this tool."""
        return tool_id not in self._denied and (self._allowed is None or tool_id in self._allowed)
