"""Where a document's steps are really done: a folder, a shell, and servers on free ports of their own.

The only thing that is changed in what the reader is told is the port. Compared is what comes of it, without what
differs each time: ids, times, durations, ports.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process, TaskGroup

    from docs.snippets import Step

_STEP_TIMEOUT_S = 60
# Until something that may take a moment, such as the end of a run, shows in an answer.
_SETTLE_TIMEOUT_S = 10
# The addresses that documents name, and whose they are.
_ADDRESSES = {
    "http://127.0.0.1:8082": "arp-daemon",
    "http://<daemon-host>:<port>": "arp-daemon",
    "http://127.0.0.1:8081": "arp-runtime",
}
SERVE = re.compile(r"(arp-daemon|arp-runtime) serve\b")
"""Begins a command that starts a server."""
# A reader's shell knows nothing of a test run: not of coverage, nor of settings that a developer has.
_READERS_VARIABLES = ("HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
_ONLY_ASKS = re.compile(r"curl -sN? http\S+\s*\Z")
_ANSI = re.compile(r"\x1b\[[\d;]*m")
_VARIES = {
    r"\b(run|inst)_[0-9a-z]{26}\b": r"\1_ID",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)": "TIME",
    r"\d\d:\d\d:\d\d on \w+, \d+ \w+ \d{4}": "TIME",
    r"(http://127\.0\.0\.1|\[::1\]):\d+": r"\1:PORT",
    r"\b[\d.]+ (ms|s|min)\b": "DURATION",
    r"""("duration_ms":|["']arp\.pid["']: ?)[\d.]+""": r"\1N",
    r"[ \t]+": " ",
    r" +$": "",
}


class Server:
    """A running `arp-daemon` or `arp-runtime`, as the reader sees it in a terminal."""

    def __init__(self, process: Process, terminal: int) -> None:
        self.process = process
        self.url = ""
        self.said = ""
        self._terminal = anyio.wrap_file(os.fdopen(terminal, "rb"))
        self._listening = anyio.Event()

    async def until_listening(self) -> None:
        """Return when it has said where it listens."""
        with anyio.fail_after(_STEP_TIMEOUT_S):
            await self._listening.wait()
        assert self.url, self.said

    async def listen(self) -> None:
        """Read what it says until it has ended."""
        try:
            async for line in self._terminal:
                self.said += _ANSI.sub("", line.decode()).replace("\r\n", "\n")
                address = re.search(r" listening .*url=(\S+)", self.said)
                if address:
                    self.url = address[1]
                    self._listening.set()
        except OSError:  # so ends a terminal that nobody writes to any more
            self._listening.set()
        await self._terminal.aclose()

    async def stop(self) -> None:
        """Press Ctrl-C, so to speak."""
        with suppress(ProcessLookupError):  # it has ended by itself, and the code says how
            self.process.send_signal(signal.SIGINT)
        with anyio.fail_after(_STEP_TIMEOUT_S):
            code = await self.process.wait()
        assert code == 0, self.said


class Stage:
    """A folder where one document's steps are done, in their order."""

    def __init__(self, folder: Path, tasks: TaskGroup) -> None:
        self._folder = folder
        self._tasks = tasks
        self._servers: dict[str, Server] = {}
        self._environment = {
            **{name: os.environ[name] for name in _READERS_VARIABLES if name in os.environ},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ARP_DAEMON_PORT": "0",
            "ARP_DAEMON_DATA_DIR": str(folder / "data"),
            "ARP_RUNTIME_PORT": "0",
            "COLUMNS": "200",
        }

    async def find_problem(self, step: Step) -> str | None:
        """Do what a step says. It must give the output that is shown, or, where none is shown, not fail."""
        if step.kind == "unknown":
            return f"line {step.line}: nothing runs this block"
        if step.kind == "file":
            await anyio.Path(self._folder, step.name).write_text(step.text)
            return None
        serve = SERVE.match(step.text)
        if serve:
            await self._serve(serve[1], step.text)
            return compare(step, self._servers[serve[1]].said)
        command = [sys.executable, "-c", step.text] if step.kind == "python" else ["bash", "-c", step.text]
        command[-1] = await self._with_real_addresses(command[-1])
        code, said = await self._run(command)
        with anyio.move_on_after(_SETTLE_TIMEOUT_S):
            while _ONLY_ASKS.match(step.text) and compare(step, said):
                code, said = await self._run(command)
        if step.output is None and code != 0:
            return f"line {step.line}: exit code {code}:\n{said}"
        return compare(step, said)

    async def stop(self) -> None:
        """Stop the servers."""
        for server in self._servers.values():
            await server.stop()

    async def _run(self, command: list[str]) -> tuple[int, str]:
        with anyio.fail_after(_STEP_TIMEOUT_S):
            done = await anyio.run_process(
                command, stdin=DEVNULL, stderr=STDOUT, check=False, cwd=self._folder, env=self._environment
            )
        return done.returncode, done.stdout.decode()

    async def _serve(self, program: str, command: str) -> None:
        """Start a server in the background. One of its kind that runs is stopped first, as a reader would."""
        if program in self._servers:
            await self._servers[program].stop()
        terminal, inside = os.openpty()
        process = await anyio.open_process(
            ["bash", "-c", f"exec {command}"],
            stdin=DEVNULL,
            stdout=inside,
            stderr=inside,
            cwd=self._folder,
            env=self._environment,
        )
        os.close(inside)
        server = self._servers[program] = Server(process, terminal)
        self._tasks.start_soon(server.listen)
        await server.until_listening()
        if program == "arp-daemon":
            self._environment["ARP_DAEMON_URL"] = server.url

    async def _with_real_addresses(self, text: str) -> str:
        """A server that a document takes for granted is started when it is first needed."""
        for address, program in _ADDRESSES.items():
            if program not in self._servers and (address in text or (program == "arp-daemon" and "arpctl" in text)):
                await self._serve(program, f"{program} serve")
            if address in text:
                text = text.replace(address, self._servers[program].url)
        return text


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Yield a stage in a folder; its servers are stopped at the end."""
    async with anyio.create_task_group() as tasks:
        stage = Stage(folder, tasks)
        try:
            yield stage
        finally:
            with anyio.CancelScope(shield=True):
                await stage.stop()


def compare(step: Step, said: str) -> str | None:
    """Hold what was said against what the document shows; of a server it shows the first lines."""
    shown, real = constant(step.output or ""), constant(said)
    pattern = re.escape(shown).replace(re.escape("..."), ".*") + (".*" if SERVE.match(step.text) else "")
    if step.output is None or re.fullmatch(pattern, real, re.DOTALL):
        return None
    return f"line {step.line} shows:\n{shown}\nand what happens is:\n{real}"


def constant(text: str) -> str:
    """The text without what differs each time."""
    for varies, name in _VARIES.items():
        text = re.sub(varies, name, text, flags=re.MULTILINE)
    return text.strip()
