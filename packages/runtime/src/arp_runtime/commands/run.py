"""`arp-runtime run`: one run in this terminal, without a server."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import anyio
import msgspec
from cyclopts import Parameter

from arp_model import RunRequest, RunResult, RunState
from arp_runtime.agents.loading import AgentNotLoadableError
from arp_runtime.commands.agent_options import NO_AGENT_OPTIONS, AgentOptions
from arp_runtime.commands.terminal import JsonView, TerminalView
from arp_runtime.commands.tool_options import NO_TOOL_OPTIONS, ToolOptions
from arp_runtime.runs.manager import Keeping
from arp_runtime.runs.single_run import follow, started
from arp_runtime.runs.workbench import Workbench
from arp_runtime.tools.loading import ToolsNotLoadableError, load_tools, open_tools
from arp_service.logs import configure_logging
from arp_service.stopping import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from arp_runtime.agents.artifacts import ArtifactFolder
    from arp_runtime.commands.terminal import View
    from arp_runtime.runs.manager import RunManager
    from arp_runtime.runs.table import Run
    from arp_runtime.tools.offered import OfferedTool
    from arp_service.stopping import Stop


class ExitCode(IntEnum):
    """What the exit code says, as `arpctl run` has it."""

    SUCCEEDED = 0
    FAILED = 1
    USAGE = 2
    CANCELED = 130


def run_command(
    goal: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    agent_options: AgentOptions = NO_AGENT_OPTIONS,
    tool_options: ToolOptions = NO_TOOL_OPTIONS,
    data: str | None = None,
    timeout_ms: int | None = None,
    max_steps: int | None = None,
    max_tokens: int | None = None,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> NoReturn:
    """Execute one run in this terminal, and show what happens; the answer goes to stdout, all else to stderr.

    Ctrl-C cancels the run. Exit code: 0 succeeded, 1 failed, 130 canceled, 2 it could not begin.

    Parameters
    ----------
    goal
        What is to be achieved, in plain language.
    agent_options
        Which agent does it.
    tool_options
        What tools it may use.
    data
        The run's `input.data`, as a JSON object; @FILE reads it from a file.
    timeout_ms
        The longest time that it may take.
    max_steps
        How many steps it may take.
    max_tokens
        How many tokens it may say.
    json_
        Print events as lines of JSON to stderr, and the result as one to stdout.
    """
    configure_logging("warning")
    try:
        limits = {"timeout_ms": timeout_ms, "max_steps": max_steps, "max_tokens": max_tokens}
        request = _request(goal, data, {name: value for name, value in limits.items() if value is not None})
        agent = agent_options.load()
        tools = open_tools(load_tools(tool_options.tools), tool_options.tool_registry_url)
        view: View = JsonView() if json_ else TerminalView()
        start = partial(started, agent, request, keeping=Keeping(cancel_grace_s=agent_options.cancel_grace_s))
        sys.exit(anyio.run(_run, start, tools, agent_options.artifacts(), view))
    except (AgentNotLoadableError, ToolsNotLoadableError, _UsageError) as error:
        sys.stderr.write(f"arp-runtime: {error}\n")
        sys.exit(ExitCode.USAGE)


class _UsageError(Exception):
    """An option makes no sense; the message names it."""


def _request(goal: str, data: str | None, limits: dict[str, int]) -> RunRequest:
    if goal.startswith("--"):
        raise _UsageError(f"Unknown option: {goal}.")
    given: dict[str, Any] = {"input": {"goal": goal}}
    if data is not None:
        given["input"]["data"] = _read_data(data)
    if limits:
        given["limits"] = limits
    try:
        return RunRequest.from_dict(given)
    except msgspec.ValidationError as exc:
        raise _UsageError(str(exc)) from exc


def _read_data(given: str) -> Any:
    try:
        text = Path(given[1:]).read_bytes() if given.startswith("@") else given.encode()
        return msgspec.json.decode(text)
    except (OSError, msgspec.DecodeError) as exc:
        raise _UsageError(f"--data: {exc}") from exc


async def _run(
    start: Callable[[Workbench, Stop], AbstractAsyncContextManager[tuple[RunManager, Run]]],
    tools: AbstractAsyncContextManager[Mapping[str, OfferedTool]],
    artifacts: ArtifactFolder,
    view: View,
) -> ExitCode:
    async with tools as offered, stop_on_signals() as stop:
        bench = Workbench(offered, artifacts, view)
        async with start(bench, stop) as (runs, run):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_stopped, runs, run.run_id, stop, view)
                async for event in follow(run.log):
                    view.show(event)
                tasks.cancel_scope.cancel()
            view.end(run.state, RunResult.from_json(runs.get_result(run.run_id)))
            code = _EXIT_CODES[run.state]
            if runs.abandoned:  # nothing ends it but the end of this process
                _leave(code)
            return code


async def _cancel_when_stopped(runs: RunManager, run_id: str, stop: Stop, view: View) -> None:
    """Ctrl-C cancels; a second one does not wait for the agent to clean up."""
    await stop.requested.wait()
    view.tell_canceling()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(runs.cancel, run_id)
        await stop.hurried.wait()
        _leave(ExitCode.CANCELED)


def _leave(code: ExitCode) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


_EXIT_CODES = {
    RunState.SUCCEEDED: ExitCode.SUCCEEDED,
    RunState.FAILED: ExitCode.FAILED,
    RunState.CANCELED: ExitCode.CANCELED,
}
