"""Options that several commands share: which agent there is, and how its runs are executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from arp_runtime.agents.artifacts import ArtifactFolder, default_artifacts_dir
from arp_runtime.agents.loading import load_agent, load_local_model
from arp_runtime.runs.manager import CANCEL_GRACE_S
from arp_runtime.runs.turns import MAX_WAITING_RUNS, Capacity, concurrent_runs

if TYPE_CHECKING:
    from arp_runtime.agents.kinds import LoadedAgent

_AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]
_Seconds = Annotated[float, Parameter(validator=validators.Number(gte=0))]
_NotNegative = Annotated[int, Parameter(validator=validators.Number(gte=0))]


@Parameter(name="*")
@dataclass(frozen=True)
class AgentOptions:
    """Which agent executes runs.

    Parameters
    ----------
    agent
        What runs are given to: module:attribute, ./file.py:attribute, command:PROGRAM, or the name of an agent.
    agent_isolation
        `process` calls a plain function in a process for each run, which can be killed.
    local_model
        The agent `model` asks a small language model in this process; needs the extra `local`.
    cancel_grace_s
        Seconds for the agent to stop when its run was canceled, or has reached a limit.
    artifacts_dir
        Where runs leave their artifacts; by default in the data dir, or else in the user's data folder.
    """

    agent: str = "default"
    agent_isolation: Literal["none", "process"] = "none"
    local_model: Annotated[bool, Parameter(negative=())] = False
    cancel_grace_s: _Seconds = CANCEL_GRACE_S
    artifacts_dir: Path | None = None

    def load(self) -> LoadedAgent:
        """The agent. Raises AgentNotLoadableError."""
        if self.local_model:
            return load_local_model(self.agent)
        return load_agent(self.agent, isolated=self.agent_isolation == "process")

    def artifacts(self, data_dir: Path | None = None) -> ArtifactFolder:
        """Where artifacts go, beside whatever else is kept in `data_dir`."""
        by_default = default_artifacts_dir() if data_dir is None else data_dir / "artifacts"
        return ArtifactFolder(self.artifacts_dir or by_default)


@Parameter(name="*")
@dataclass(frozen=True)
class CapacityOptions:
    """How many runs there may be.

    Parameters
    ----------
    max_concurrent_runs
        How many runs execute at once; by default 100 where the agent is async, else as many as there are processors.
    max_waiting_runs
        How many more runs may wait; what is beyond that is refused with 503 `overloaded`.
    """

    max_concurrent_runs: _AtLeastOne | None = None
    max_waiting_runs: _NotNegative = MAX_WAITING_RUNS

    def capacity(self, agent: LoadedAgent) -> Capacity:
        """How many, for this agent."""
        sensible = agent.at_once or concurrent_runs(agent.workplace)
        return Capacity(self.max_concurrent_runs or sensible, self.max_waiting_runs)


NO_AGENT_OPTIONS = AgentOptions()
NO_CAPACITY_OPTIONS = CapacityOptions()
