"""What all runs of a runtime share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arp_runtime.trace import LogTrace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from arp_runtime.artifacts import ArtifactFolder
    from arp_runtime.tools import Tool
    from arp_runtime.trace import Trace


@dataclass(frozen=True)
class Workbench:
    """The tools by their ids, where artifacts are kept, and where traces go."""

    tools: Mapping[str, Tool]
    artifacts: ArtifactFolder
    trace: Trace = field(default_factory=LogTrace)


def by_id(tools: Iterable[Tool]) -> dict[str, Tool]:
    """Tools by their ids."""
    return {tool.definition.tool_id: tool for tool in tools}
