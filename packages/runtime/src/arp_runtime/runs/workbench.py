"""What all runs of a runtime share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arp_runtime.records.trace import LogTrace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_runtime.agents.artifacts import ArtifactFolder
    from arp_runtime.records.trace import Trace
    from arp_runtime.tools.offered import OfferedTool


@dataclass(frozen=True)
class Workbench:
    """The tools by their ids, where artifacts are kept, and where traces go."""

    tools: Mapping[str, OfferedTool]
    artifacts: ArtifactFolder
    trace: Trace = field(default_factory=LogTrace)
