"""For the tests of agents: one run, as a runtime would execute it.

def test_it_greets() -> None:
    run = run_agent(agent, "Ada")
    assert run.output == {"answer": "Hello, Ada!"}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio

from arp_model import UNSET, RunEvent, RunRequest, RunResult
from arp_runtime.agents.artifacts import ArtifactFolder
from arp_runtime.agents.kinds import as_agent
from arp_runtime.agents.loading import load_agent
from arp_runtime.runs.single_run import follow, started
from arp_runtime.runs.workbench import Workbench
from arp_runtime.tools.loading import load_tools, open_tools
from arp_runtime.tools.offered import offer
from arp_service.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_runtime.tools.box import Tool

__all__ = ["AgentRun", "run_agent", "run_agent_async"]


@dataclass(frozen=True)
class AgentRun:
    """A run that has ended."""

    result: RunResult
    events: Sequence[RunEvent]

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.result.ok

    @property
    def output(self) -> dict[str, Any] | None:
        """What the agent answered."""
        return self.result.output or None

    @property
    def code(self) -> str | None:
        """The code of the error that it ended with."""
        return None if self.result.error is UNSET else self.result.error.code

    def data_of(self, type_: str) -> list[dict[str, Any]]:
        """The data of its events of one type."""
        return [event.data or {} for event in self.events if event.type_.value == type_]


def run_agent(
    agent: Any,
    goal: str = "",
    *,
    data: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    tools: Sequence[Tool] = (),
    artifacts_dir: Path | None = None,
    **request: Any,
) -> AgentRun:
    """Execute one run to its end, in an event loop of its own, and return all of it.

    `agent` is what may be served as one, or its name. Built-in and installed tools are there, and `tools` besides.
    `request` are further members of a RunRequest, such as `limits={"max_steps": 3}`. Without an `artifacts_dir`, the
    files of artifacts are gone at the end.
    """

    async def run() -> AgentRun:
        return await run_agent_async(
            agent, goal, data=data, context=context, tools=tools, artifacts_dir=artifacts_dir, **request
        )

    return anyio.run(run)


async def run_agent_async(
    agent: Any,
    goal: str = "",
    *,
    data: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    tools: Sequence[Tool] = (),
    artifacts_dir: Path | None = None,
    **request: Any,
) -> AgentRun:
    """Do as `run_agent` does, for a test that is async itself."""
    input_ = {"goal": goal} | ({"data": data} if data else {}) | ({"context": context} if context else {})
    asked = RunRequest.from_dict({"input": input_, **request})
    loaded = load_agent(agent) if isinstance(agent, str) else as_agent(agent)
    own = {**load_tools(()), **offer(tools, "the test")}
    async with open_tools(own, None) as offered:
        with TemporaryDirectory() as folder:
            bench = Workbench(offered, ArtifactFolder(artifacts_dir or Path(folder)))
            async with started(loaded, asked, bench, Stop()) as (runs, run):
                events = [event async for event in follow(run.log)]
                return AgentRun(RunResult.from_json(runs.get_result(run.run_id)), events)
