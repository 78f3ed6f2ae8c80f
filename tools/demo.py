"""See it work: a daemon from nothing, goals in, events and results out, and nothing left behind.

`python3 noxfile.py -s demo` runs this in a venv that has all packages. The exit code is 0 only when everything was
as it should be.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from builtins import BaseExceptionGroup  # by name: the linter believes in Python 3.10
from collections import deque
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import psutil
from anyio.streams.text import TextReceiveStream
from rich.console import Console
from rich.table import Table
from rich.text import Text

from arp_cli.ending import answer
from arp_cli.event_lines import event_line
from arp_cli.state_styles import state_text
from arp_cli.times import format_duration
from arp_sdk import AsyncDaemonClient
from arp_sdk.models import UNSET, RunEventType, RunRequest, RunRequestInput, RunState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process, TaskStatus

    from arp_sdk.models import RunResult, RunStatus

ROOT = Path(__file__).resolve().parents[1]
NEXT = """\
python3 -m venv .venv && .venv/bin/pip install ./packages/*
. .venv/bin/activate                  # in each terminal
arp-daemon serve                      # in one
arpctl run "What is (19*23)?"         # in another
arpctl --help"""

# Each of these takes a second or two; the bounds are for machines that have a lot to do.
_START_S = 60.0
_RUNS_S = 60.0
_STOP_S = 30.0
# The launcher ends itself when the daemon has told it to; the daemon does not wait for that.
_LAUNCHER_END_S = 5.0
_LOG_LINES_SHOWN = 20
_NAME_WIDTH = 10


@dataclass(frozen=True)
class Goal:
    """A goal, and what is to come of it."""

    name: str
    style: str
    goal: str
    state: RunState
    answer: str = ""
    cancel_after_tokens: int | None = None


GOALS = (
    Goal("multiply", "blue", "What is (19*23)?", RunState.SUCCEEDED, "437"),
    Goal("clock", "green", "What time is it in UTC?", RunState.SUCCEEDED, "UTC"),
    Goal("failure", "red", "Fail on purpose", RunState.FAILED),
    Goal("counting", "magenta", "Count to 100 slowly", RunState.CANCELED, "1 2 3", cancel_after_tokens=5),
)


@dataclass(frozen=True)
class Outcome:
    """What came of a goal."""

    goal: Goal
    status: RunStatus
    result: RunResult

    @property
    def as_expected(self) -> bool:
        return self.status.state is self.goal.state and self.goal.answer in answer(self.result)


@dataclass
class Demo:
    """One demonstration: where it tells, and what it found wrong."""

    console: Console
    folder: Path
    began: float = field(default_factory=time.monotonic)
    problems: list[str] = field(default_factory=list)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES_SHOWN))

    def say(self, *parts: Text | str) -> None:
        """Print a line with the time that has passed."""
        elapsed = Text(f"{time.monotonic() - self.began:6.2f} s  ", "dim")
        self.console.print(Text.assemble(elapsed, *parts), soft_wrap=True)

    async def run(self) -> None:
        """Show everything, unless a signal ends it before. Either way the daemon is stopped.

        Raises when the daemon does not start, or a run does not end.
        """
        async with anyio.create_task_group() as tasks:
            await tasks.start(self.end_on_signal, tasks.cancel_scope)
            # On a terminal something moves while one has to wait.
            with self.console.status("", spinner_style="cyan"):
                await self.perform()
            tasks.cancel_scope.cancel()

    async def end_on_signal(self, scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        """Cancel everything at the first SIGINT or SIGTERM."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for number in signals:
                self.problems.append(f"It was ended by {number.name}.")
                scope.cancel()

    async def perform(self) -> None:
        """Start a daemon, let it run all goals, stop it, and check that nothing is left."""
        async with self.daemon() as url:
            async with AsyncDaemonClient(url) as client:
                outcomes = await self.submit_all(client)
            self.show(outcomes)
            self.say("Stopping the daemon, with all that it started.")
            started = list_processes(self.folder)
        self.check_processes(started)

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[str]:
        """Start a daemon on a free port, and yield its address; stop it when the block ends, however it does."""
        command = [sys.executable, "-m", "arp_daemon", "serve", "--port", "0", "--data-dir", str(self.folder)]
        # Whoever interrupts the demonstration does not want to see its runs end.
        command += ["--drain-grace-s", "0"]
        self.say("Starting a daemon: ", (Text("arp-daemon serve --port 0 --data-dir ...", "bold")))
        async with (
            await anyio.open_process(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.folder
            ) as process,
            anyio.create_task_group() as tasks,
        ):
            try:
                with anyio.fail_after(_START_S):
                    url = await tasks.start(self.read_log, process)
                yield url
            finally:
                with anyio.CancelScope(shield=True):
                    await self.stop(process)

    async def read_log(self, process: Process, *, task_status: TaskStatus[str]) -> None:
        """Read the daemon's log to its end; the line `listening` has the address."""
        assert process.stderr is not None
        rest, url = "", None
        async for text in TextReceiveStream(process.stderr, errors="replace"):
            *lines, rest = (rest + text).split("\n")
            self.log.extend(lines)
            if url is None and (url := next(filter(None, map(find_url, lines)), None)):
                self.say(f"It listens at {url}. Now {len(GOALS)} goals, all at once:")
                task_status.started(url)
        if url is None:
            raise RuntimeError("The daemon ended before it listened.")

    async def stop(self, process: Process) -> None:
        """Ask the daemon to stop, and wait for its end."""
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        with anyio.move_on_after(_STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            self.problems.append(f"The daemon did not stop within {_STOP_S:.0f} s, and was killed.")
        elif process.returncode != 0:
            self.problems.append(f"The daemon ended with exit code {process.returncode}.")

    async def submit_all(self, client: AsyncDaemonClient) -> list[Outcome]:
        """Submit all goals at once, and follow each to its end."""
        outcomes: dict[Goal, Outcome] = {}

        async def pursue(goal: Goal) -> None:
            outcomes[goal] = await self.pursue(client, goal)

        with anyio.fail_after(_RUNS_S):
            async with anyio.create_task_group() as tasks:
                for goal in GOALS:
                    tasks.start_soon(pursue, goal)
        return [outcomes[goal] for goal in GOALS]

    async def pursue(self, client: AsyncDaemonClient, goal: Goal) -> Outcome:
        """Submit one goal, and tell its events as they come."""
        name = Text(f"{goal.name:<{_NAME_WIDTH}}", goal.style)
        submitted = await client.submit_run(RunRequest(input_=RunRequestInput(goal=goal.goal)))
        self.say(name, f"{submitted.state.value}: {goal.goal}")
        tokens = 0
        async with aclosing(client.iter_run_events(submitted.run_id)) as events:
            async for event in events:
                self.say(name, event_line(event))
                tokens += event.type_ is RunEventType.TOKEN
                if event.type_ is RunEventType.TOKEN and tokens == goal.cancel_after_tokens:
                    self.say(name, "enough: canceling it")
                    await client.cancel_run(submitted.run_id)
        result = await client.get_run_result(submitted.run_id)
        return Outcome(goal, await client.get_run_status(submitted.run_id), result)

    def show(self, outcomes: list[Outcome]) -> None:
        """Print the results."""
        table = Table("goal", "state", "took", "result", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for outcome in outcomes:
            state = outcome.status.state
            table.add_row(outcome.goal.goal, state_text(state), took(outcome.status), told(outcome.result))
            if not outcome.as_expected:
                self.problems.append(
                    f"{outcome.goal.goal!r} should have {outcome.goal.state.value}, and {state.value}."
                )
        self.console.print()
        self.console.print(table)
        self.console.print()

    def check_processes(self, started: list[psutil.Process]) -> None:
        """Check that nothing is left of what the daemon started, and of itself."""
        _, left = psutil.wait_procs(started, timeout=_LAUNCHER_END_S)
        left = [*left, *(process for process in list_processes(self.folder) if process not in left)]
        if left:
            self.problems.append(f"These processes are left: {', '.join(str(process) for process in left)}.")
        else:
            self.say(f"All {len(started)} processes have ended: the daemon, its launcher, and the runtime instances.")

    def remove_folder(self) -> None:
        """Remove the daemon's data, and check that it is gone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            self.problems.append(f"{self.folder} could not be removed.")
        else:
            self.say(f"The daemon's folder {self.folder.relative_to(ROOT)} is removed.")


def find_url(line: str) -> str | None:
    """The daemon's address, where the line of its log tells it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    listening = isinstance(entry, dict) and entry.get("event") == "listening"
    return str(entry["url"]) if listening else None


def took(status: RunStatus) -> str:
    """How long a run executed."""
    if status.started_at is UNSET or status.ended_at is UNSET:
        return "-"
    return format_duration((status.ended_at - status.started_at).total_seconds())


def told(result: RunResult) -> Text:
    """What a run has to say in the end."""
    if result.error is UNSET:
        return Text(answer(result))
    until_then = f" Until then: {answer(result)}" if result.output is not UNSET else ""
    return Text(f"{result.error.code}: {result.error.message}{until_then}")


def list_processes(folder: Path) -> list[psutil.Process]:
    """The processes that were told of the folder (the daemon and its launcher), and all below them."""
    told_of = [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or ())]
    below = [child for process in told_of if process.is_running() for child in process.children(recursive=True)]
    return list(dict.fromkeys([*told_of, *below]))


def reasons(exc: BaseException) -> list[str]:
    """What an exception says; of a group, what its members say."""
    if isinstance(exc, BaseExceptionGroup):
        return [reason for member in exc.exceptions for reason in reasons(member)]
    return [f"{type(exc).__name__}: {exc}"]


def main() -> int:
    """Run the demonstration, and say what to try next."""
    nox_folder = ROOT / ".nox"
    nox_folder.mkdir(exist_ok=True)
    demo = Demo(
        Console(markup=False, emoji=False, highlight=False),
        Path(tempfile.mkdtemp(prefix="demo-", dir=nox_folder)),
    )
    try:
        anyio.run(demo.run)
    except Exception as exc:  # noqa: BLE001 - the outermost boundary: told, with the daemon's log, and exit code 1
        demo.problems.extend(reasons(exc))
    finally:
        demo.remove_folder()
    if demo.problems:
        for line in [*demo.log, "", "Not as it should be:", *demo.problems]:
            demo.console.print(line, soft_wrap=True)
        return 1
    demo.console.print(f"\nEverything was as it should be, and nothing is left. Try next:\n\n{NEXT}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
