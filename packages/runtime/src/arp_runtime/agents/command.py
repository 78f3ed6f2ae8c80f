"""Any program as an agent: `--agent command:...`.

It gets the RunRequest as one line of JSON on stdin, which is closed after it, with two additions in its `extensions`:
`arp.tools`, the tools that the run may use, and `arp.deadline`, where it has one. It tells events as lines of JSON on
stdout (`arp_runtime.agents.events`), and what it says on stderr goes into the run's trace. Exit code 0 is success.

Tools are called through the socket that the variable `ARP_TOOLS_FD` numbers: a line `{"tool_id": ..., "args": {...}}`
gives a line `{"ok": true, "result": ...}` or `{"ok": false, "error": {"code": ..., "message": ...}}`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import msgspec
from anyio.abc import UNIXSocketStream

from arp_model import TraceLevel
from arp_runtime.agents.child_process import running
from arp_runtime.agents.events import Telling
from arp_runtime.agents.kinds import LoadedAgent, NoAgentError, Workplace
from arp_runtime.agents.lines import LineTooLongError, read_lines
from arp_runtime.agents.variables import ARTIFACTS_VARIABLE, NONCE_VARIABLE, RUN_VARIABLE, TOOLS_VARIABLE
from arp_runtime.errors import CommandFailedError, InvalidEventError, ToolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import ByteReceiveStream, ByteSendStream, Process

    from arp_runtime.agents.context import AgentContext
    from arp_runtime.agents.events import Ending

PREFIX = "command:"
MAX_LINE_BYTES = 1024 * 1024
# What a command says on stderr is taken in such pieces, and so much of it: the rest is thrown away.
_STDERR_PIECE = 64 * 1024
_MAX_STDERR_BYTES = 1024 * 1024
_BY_SIGNAL = 128
# Of the event loop: it sees that the pipe can be read, reads it, and wakes who waits for that.
_TURNS_FROM_PIPE_TO_EVENT = 5


class _ToolCall(msgspec.Struct, forbid_unknown_fields=True):
    tool_id: str
    args: dict[str, Any] = {}


class CommandAgent:
    """Starts a program for each run, and ends it, with all that it has started, when the run ends."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command

    async def __call__(self, context: AgentContext) -> Ending:
        """See `arp_runtime.agents.context.Agent`.

        Raises:
            InvalidEventError: it told what is no event, or called a tool in the wrong words.
            CommandFailedError: its exit code says so.
        """
        ours, theirs = socket.socketpair()
        words = _Stderr(context)
        program = running(self._command, _environment(context, theirs), words.take, [theirs])
        with ours, closing(words):
            # The socket is closed first, so that a program that waits for a tool's answer waits no more.
            async with program as process, await UNIXSocketStream.from_socket(ours) as calls:
                return await _converse(process, calls, context)


def load_command(name: str) -> LoadedAgent:
    """Return the agent that `command:...` means: words as a shell would part them, or a JSON list of words.

    Raises:
        NoAgentError: it makes no sense, or there is no such program.
    """
    command = _words(name.removeprefix(PREFIX).strip())
    if shutil.which(command[0]) is None:
        cure = (
            f"make it executable: chmod +x {command[0]}"
            if Path(command[0]).is_file()
            else "install it, or give its path"
        )
        raise NoAgentError(f"there is no program {command[0]!r} that can be executed; {cure}")
    return LoadedAgent(CommandAgent(command), Workplace.PROCESS)


def _words(text: str) -> list[str]:
    try:
        words = msgspec.json.decode(text, type=list[str]) if text.startswith("[") else shlex.split(text)
    except (msgspec.DecodeError, ValueError) as exc:
        raise NoAgentError(f'{exc}; write command:./agent.sh, or command:["node","agent.js"]') from exc
    if not words:
        raise NoAgentError('which command? write command:./agent.sh, or command:["node","agent.js"]')
    return words


def _environment(context: AgentContext, tools: socket.socket) -> dict[str, str]:
    """The runtime's own, without what is between it and its launcher."""
    inherited = {name: value for name, value in os.environ.items() if name != NONCE_VARIABLE}
    own = {
        RUN_VARIABLE: context.run_id,
        TOOLS_VARIABLE: str(tools.fileno()),
        ARTIFACTS_VARIABLE: str(context.folder.path),
    }
    return inherited | own


async def _converse(process: Process, calls: UNIXSocketStream, context: AgentContext) -> Ending:
    assert process.stdin
    assert process.stdout
    telling = Telling()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_send_request, process.stdin, context)
        tasks.start_soon(_answer_calls, calls, context)
        await _follow(process.stdout, telling, context)
        exit_code = await process.wait()
    ending = telling.ending()
    if exit_code != 0 and ending.error is None:
        raise CommandFailedError(exit_code, _meaning(exit_code))
    return ending


async def _send_request(stdin: ByteSendStream, context: AgentContext) -> None:
    request = context.request.to_dict()
    additions: dict[str, Any] = {"arp.tools": [tool.to_dict() for tool in context.tools.list()]}
    if context.deadline is not None:
        additions["arp.deadline"] = context.deadline
    request["extensions"] = request.get("extensions", {}) | additions
    with suppress(anyio.BrokenResourceError):  # it does not want to know
        await stdin.send(msgspec.json.encode(request) + b"\n")
    await stdin.aclose()


class _Stderr:
    """Puts what a command says there into the run's trace, line by line, up to a bound."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._said = 0
        self._pending = b""

    def take(self, chunk: bytes) -> None:
        """Another piece of it."""
        self._said += len(chunk)
        if self._said > _MAX_STDERR_BYTES:
            return
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        if len(self._pending) > _STDERR_PIECE:
            lines, self._pending = [*lines, self._pending], b""
        for line in lines:
            self._record(line)

    def close(self) -> None:
        """There is no more."""
        if self._pending:
            self._record(self._pending)
        if self._said > _MAX_STDERR_BYTES:
            self._record(b"... and %d bytes more" % (self._said - _MAX_STDERR_BYTES))

    def _record(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        self._context.trace.record(self._context.run_id, TraceLevel.INFO, "stderr", {"text": text})


async def _follow(stdout: ByteReceiveStream, telling: Telling, context: AgentContext) -> None:
    """Tell what the command tells, until it closes its stdout."""
    number = 1
    try:
        async for line in read_lines(stdout, MAX_LINE_BYTES):
            event = telling.take(_decode(line)) if line.strip() else None
            if event is not None:
                await context.emit(event.type, event.data)
            number += 1
    except (InvalidEventError, LineTooLongError) as exc:
        raise InvalidEventError(f"Line {number} of the command's stdout: {exc}") from exc


def _decode(line: bytes) -> object:
    try:
        item = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as exc:
        how = 'write {"type": "token", "data": {"text": "..."}}, and what is for people to stderr'
        raise InvalidEventError(f"{line[:80].decode(errors='replace')!r} is no JSON ({exc}); {how}.") from exc
    if isinstance(item, str):
        raise InvalidEventError('text alone is no event; write {"type": "token", "data": {"text": "..."}}.')
    return item


async def _answer_calls(calls: UNIXSocketStream, context: AgentContext) -> None:
    """Call the tools that the command asks for, one after the other."""
    try:
        async for line in read_lines(calls, MAX_LINE_BYTES):
            await _let_events_be_told()
            answer = await _call_tool(line, context)
            await calls.send(msgspec.json.encode(answer) + b"\n")
    except LineTooLongError as exc:
        raise InvalidEventError(f"A call of a tool: {exc}.") from exc
    except anyio.BrokenResourceError:  # it did not wait for the answer
        return


async def _let_events_be_told() -> None:
    """What a command wrote to stdout before it called is in the pipe: it is told before the call is."""
    for _ in range(_TURNS_FROM_PIPE_TO_EVENT):
        await anyio.lowlevel.checkpoint()


async def _call_tool(line: bytes, context: AgentContext) -> dict[str, Any]:
    try:
        call = msgspec.json.decode(line, type=_ToolCall)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidEventError(f'A call of a tool is {{"tool_id": ..., "args": {{...}}}}: {exc}.') from exc
    try:
        return {"ok": True, "result": await context.tools.call(call.tool_id, call.args)}
    except ToolError as error:
        return {"ok": False, "error": {"code": error.code, "message": error.message}}


def _meaning(exit_code: int) -> str:
    """Of the codes that a shell, or the keeper, uses."""
    try:
        return f" ({signal.Signals(exit_code - _BY_SIGNAL).name})"
    except ValueError:
        return {126: " (it cannot be executed)", 127: " (it was not found)"}.get(exit_code, "")
