"""A RunManager with an agent of the test's own, in this process, and what its runs left."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from arp_model import RunRequest, RunResult, RunStatus
from arp_runtime.agents.artifacts import ArtifactFolder
from arp_runtime.agents.kinds import LoadedAgent, as_agent
from arp_runtime.records.trace import LogTrace
from arp_runtime.runs.manager import Keeping, RunManager, open_manager
from arp_runtime.runs.workbench import Workbench
from arp_runtime.tools.builtin import BUILTIN_TOOLS
from arp_runtime.tools.offered import offer
from arp_service.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from arp_model import TraceLevel
    from arp_runtime.records.opening import Records
    from arp_runtime.records.trace import Trace
    from arp_runtime.runs.events import RunLog
    from arp_runtime.runs.turns import Capacity
    from arp_runtime.tools.box import Tool

PATIENCE_S = 10


class Story(NamedTuple):
    """All that can be known of an ended run."""

    status: RunStatus
    result: RunResult
    events: list[dict[str, Any]]

    @property
    def code(self) -> str | None:
        """The code of the error that it ended with."""
        return self.result.error.code if self.result.error else None

    def data_of(self, type_: str) -> list[dict[str, Any]]:
        """The data of its events of one type."""
        return [event["data"] for event in self.events if event["type"] == type_]


class Notes:
    """A trace that the test reads."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, TraceLevel, str, dict[str, Any]]] = []

    def record(self, run_id: str, level: TraceLevel, type_: str, data: dict[str, Any]) -> None:
        """See `Trace.record`."""
        self.taken.append((run_id, level, type_, data))

    def said(self) -> list[str]:
        """What commands said on stderr."""
        return [data["text"] for _, _, type_, data in self.taken if type_ == "stderr"]


@asynccontextmanager
async def managed(
    agent: Any,
    tools: Iterable[Tool] = BUILTIN_TOOLS,
    stop: Stop | None = None,
    capacity: Capacity | None = None,
    trace: Trace | None = None,
    records: Records | None = None,
    **keeping: Any,
) -> AsyncIterator[RunManager]:
    """A manager, for a bounded time. `agent` is whatever somebody may write as one."""
    with TemporaryDirectory() as folder:
        bench = Workbench(offer(tools, "test"), ArtifactFolder(Path(folder)), trace or LogTrace())
        with anyio.fail_after(PATIENCE_S):
            async with open_manager(
                agent if isinstance(agent, LoadedAgent) else as_agent(agent),
                bench,
                stop or Stop(),
                capacity=capacity,
                keeping=Keeping(**keeping),
                records=records,
            ) as runs:
                yield runs


def request(goal: str = "", **fields: Any) -> RunRequest:
    """A RunRequest from plain values."""
    return RunRequest.from_dict({"input": {"goal": goal}, **fields})


async def story(agent: Any, goal: str = "", tools: Iterable[Tool] = BUILTIN_TOOLS, **fields: Any) -> Story:
    """Execute one run to its end."""
    async with managed(agent, tools) as runs:
        run = runs.create(request(goal, **fields))
        return await ended(runs, run.run_id)


async def ended(runs: RunManager, run_id: str) -> Story:
    """Wait for a run's end, check what is promised of every run, and return all of it."""
    run = runs.get(run_id)
    await run.log.wait_ended()
    events = await events_of(run.log)
    result = RunResult.from_json(runs.get_result(run_id))
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert [event["type"] in ("final", "error") for event in events] == [False] * (len(events) - 1) + [True]
    assert (events[-1]["type"] == "final") == result.ok == (run.state.value == "succeeded")
    assert {"run_id": run_id, **events[-1]["data"]} == result.to_dict()
    return Story(run.status(), result, events)


async def events_of(log: RunLog) -> list[dict[str, Any]]:
    """The events that a log has now."""
    body = b""
    position = 0
    while (frames := await log.read(position)).body:
        body += frames.body
        position = frames.position
    lines = body.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
