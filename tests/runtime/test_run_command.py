"""`arp-runtime run`: one run in a terminal, without a server."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Awaitable, Callable
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from arp_runtime.commands.agent_options import AgentOptions
from arp_runtime.commands.run import run_command
from arp_runtime.commands.tool_options import ToolOptions
from arp_service.processes import find_marked
from support.forked import Done

if TYPE_CHECKING:
    from pathlib import Path

    from support.forked import ForkedCommands

_AGENTS = """
import sys, time
import anyio

async def broken(context):
    raise ValueError("out of range")

async def artist(context):
    await context.artifact("a.txt", "x")
    await context.emit_token("\\x1b[31mred\\nline")
    return "\\x1b]0;title\\x07done"

async def facts(context):
    return {"n": 1}

async def tidy(context):
    try:
        await context.step("begun")
        await anyio.sleep_forever()
    finally:
        print("tidied up", file=sys.stderr, flush=True)

async def resisting(context):
    await context.step("begun")
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()

def deaf(context):
    context.step("begun")
    time.sleep(1000)
"""


Run = Callable[..., Awaitable[Done]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agents.py").write_text(_AGENTS)
    return tmp_path


def _command(*args: str) -> list[str]:
    return [sys.executable, "-m", "arp_runtime", "run", *args]


@pytest.fixture
def run(folder: Path, arp_runtime: ForkedCommands) -> Run:
    """Run `arp-runtime run` in the folder to its end."""
    env = {"COLUMNS": "200", "XDG_DATA_HOME": str(folder / "data")}
    return lambda *args: arp_runtime.run("run", *args, cwd=folder, env=env)


async def test_the_answer_goes_to_stdout_and_what_happens_to_stderr(run: Run) -> None:
    """So that it can be piped; the exit code is 0."""
    done = await run("What is (19*23)?")
    assert (done.code, done.out) == (0, "(19*23) = 437\n")
    assert [line.split("  ")[0] for line in done.err.splitlines()] == [
        "step",
        "tool call",
        "tool result",
        "token",
        "succeeded",
        "",
    ]


async def test_a_run_that_failed_says_why(run: Run) -> None:
    """Exit code 1; of a mistake the traceback, of what the agent meant to say none."""
    done = await run("x", "--agent", "./agents.py:broken")
    assert (done.code, done.out) == (1, "")
    assert "agent_error: ValueError: out of range" in done.err
    assert "agents.py" in done.err
    done = await run("fail: no luck")
    assert done.code == 1
    assert "failed_on_purpose: no luck" in done.err
    assert "Traceback" not in done.err


async def test_what_an_agent_says_is_never_obeyed_by_the_terminal(folder: Path, run: Run) -> None:
    """Control characters are left out; artifacts are named."""
    done = await run("x", "--agent", "agents:artist")
    assert done.code == 0
    assert "\x1b" not in done.out + done.err
    assert "\x07" not in done.out
    assert f"artifact a.txt: file://{folder}/data/arp-runtime/artifacts/" in done.err


async def test_json_is_for_programs(run: Run) -> None:
    """Events as lines on stderr, the result as one on stdout."""
    done = await run("x", "--agent", "agents:facts", "--json")
    assert json.loads(done.out)["output"] == {"n": 1}
    assert [json.loads(line)["type"] for line in done.err.splitlines()] == ["final"]
    assert json.loads((await run("x", "--agent", "agents:facts")).out) == {"n": 1}


async def test_limits_and_data_are_the_runs(folder: Path, run: Run) -> None:
    """Data as JSON, or from a file."""
    done = await run("x", "--data", '{"tool_id": "calculator", "args": {"expression": "1+1"}}')
    assert done.out == "1+1 = 2\n"
    (folder / "data.json").write_text('{"tool_id": "calculator", "args": {"expression": "2+2"}}')
    assert (await run("x", "--data", "@data.json")).out == "2+2 = 4\n"
    done = await run("count to 5 quickly", "--max-tokens", "2")
    assert done.code == 1
    assert "max_tokens is 2" in done.err


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"agent_options": AgentOptions("nope")}, "--agent nope: write module:attribute"),
        ({"data": "{"}, "--data: "),
        ({"data": "@nowhere.json"}, "nowhere.json"),
        ({"data": "[1]"}, "$.input.data"),
        ({"max_steps": 0}, "max_steps"),
        ({"tool_options": ToolOptions(("nowhere",))}, "nowhere"),
    ],
)
def test_a_run_that_cannot_begin_says_why_in_one_line(
    capsys: pytest.CaptureFixture[str], args: dict[str, Any], why: str
) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as caught:
        run_command("x", **args)
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert err.startswith("arp-runtime: ")
    assert err.count("\n") == 1
    assert why in err


async def _interrupt(folder: Path, agent: str, words: list[bytes], *options: str) -> Done:
    """Start a run, and press Ctrl-C each time it has said the next of these words."""
    command = _command("x", "--agent", agent, *options)
    async with await anyio.open_process(command, stderr=PIPE, cwd=folder) as process:
        assert process.stdout
        assert process.stderr
        lines = BufferedByteReceiveStream(process.stderr)
        with anyio.fail_after(60):
            for word in words:
                while word not in await lines.receive_until(b"\n", 1000):
                    pass
                process.send_signal(signal.SIGINT)
            err = b"".join([chunk async for chunk in lines])
            out = b"".join([chunk async for chunk in process.stdout])
            return Done(await process.wait(), out.decode(), err.decode())


async def test_ctrl_c_cancels_the_run(folder: Path) -> None:
    """Its agent cleans up; exit code 130."""
    done = await _interrupt(folder, "agents:tidy", [b"begun"])
    assert done.code == 130
    assert "tidied up" in done.err
    assert "canceled: The run was canceled." in done.err


@pytest.mark.parametrize("agent", ["agents:resisting", "agents:deaf"])
async def test_an_agent_that_does_not_stop_holds_nobody_up(folder: Path, agent: str) -> None:
    """When its grace is over the run is canceled without it, and the process ends."""
    done = await _interrupt(folder, agent, [b"begun"], "--cancel-grace-s", "0.1")
    assert done.code == 130
    assert "canceled: The run was canceled." in done.err


async def test_a_second_ctrl_c_does_not_wait(folder: Path) -> None:
    """For an agent that hears nothing: it leaves before the run has ended."""
    done = await _interrupt(folder, "agents:deaf", [b"begun", b"canceling"])
    assert (done.code, done.err) == (130, "")


async def test_ctrl_c_ends_a_command_and_its_children(folder: Path) -> None:
    """As any other cancelling does."""
    script = "echo $ARP_RUN_ID begun >&2; sleep 1000 & sleep 1000"
    async with await anyio.open_process(
        _command("x", "--agent", f"command:bash -c '{script}'"), stderr=PIPE
    ) as process:
        assert process.stderr
        lines = BufferedByteReceiveStream(process.stderr)
        with anyio.fail_after(60):
            _, run_id, _ = (await lines.receive_until(b"\n", 1000)).decode().split()
            assert find_marked("ARP_RUN_ID", run_id)
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
    assert find_marked("ARP_RUN_ID", run_id) == []
