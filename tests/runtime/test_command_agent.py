"""Programs as agents: what they are given, what they tell, and that nothing is left of them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_model import RunState, TraceLevel
from arp_runtime.agents.command import MAX_LINE_BYTES, CommandAgent
from arp_runtime.agents.kinds import LoadedAgent, Workplace
from arp_runtime.agents.loading import AgentNotLoadableError, load_agent
from arp_service.processes import find_marked
from runtime.scene import Notes, ended, managed, request, story

if TYPE_CHECKING:
    from arp_runtime.runs.manager import RunManager
    from runtime.scene import Story


def _bash(script: str) -> LoadedAgent:
    return LoadedAgent(CommandAgent(["bash", "-c", script]), Workplace.PROCESS)


async def _told(script: str, **fields: Any) -> Story:
    return await story(_bash(script), **fields)


async def _until(runs: RunManager, run_id: str, word: str) -> None:
    """Return when the run's log has this word."""
    run = runs.get(run_id)
    while word.encode() not in (await run.log.read(0)).body:
        await anyio.lowlevel.checkpoint()


async def test_a_command_tells_events_and_its_tokens_are_the_answer() -> None:
    """One line each, in their order; empty lines are nothing."""
    told = await _told(
        """
        echo '{"type": "step", "data": {"name": "think"}}'
        echo
        echo '{"type": "token", "data": {"text": "Hello, "}}'
        printf '{"type": "token", "data": {"text": "you"}}'
        """
    )
    assert [event["type"] for event in told.events] == ["step", "token", "token", "final"]
    assert told.result.output == {"answer": "Hello, you"}
    assert told.result.usage == {"steps": 1, "tool_calls": 0, "tokens": 2}


async def test_a_command_reads_the_request_to_the_end_of_its_stdin() -> None:
    """The RunRequest with its run_id; and in extensions the tools, and the deadline."""
    told = await _told(
        """
        request=$(cat)
        echo '{"type": "final", "data": {"output": {"request": '"$request"', "id": "'$ARP_RUN_ID'"}}}'
        """,
        input={"goal": 'a "quoted" goal', "data": {"n": 1}},
        run_id="r1",
        limits={"timeout_ms": 60_000},
        tool_policy={"allow_tool_ids": ["echo"]},
        extensions={"my.own": True},
    )
    assert told.result.output
    assert told.result.output["id"] == "r1"
    asked = told.result.output["request"]
    assert asked["run_id"] == "r1"
    assert asked["input"] == {"goal": 'a "quoted" goal', "data": {"n": 1}}
    assert asked["extensions"]["my.own"] is True
    assert [tool["tool_id"] for tool in asked["extensions"]["arp.tools"]] == ["echo"]
    assert asked["extensions"]["arp.deadline"].endswith("Z")


async def test_a_command_that_reads_nothing_is_no_problem() -> None:
    """Even where the request is larger than a pipe."""
    told = await _told("exec 0<&-; exit 0", goal="x" * 1_000_000)
    assert told.result.ok


async def test_a_command_calls_tools() -> None:
    """A line is a call, a line its answer; a failing tool is an answer too."""
    told = await _told(
        """
        call() { echo "$1" >&"$ARP_TOOLS_FD"; read -r answer <&"$ARP_TOOLS_FD"; }
        call '{"tool_id": "calculator", "args": {"expression": "19*23"}}'; sum=$answer
        call '{"tool_id": "nothing"}'
        echo '{"type": "final", "data": {"output": {"sum": '"$sum"', "other": '"$answer"'}}}'
        """
    )
    assert told.result.output
    assert told.result.output["sum"] == {"ok": True, "result": {"expression": "19*23", "text": "437", "value": 437}}
    assert told.result.output["other"]["error"]["code"] == "tool_not_found"
    assert [event["type"] for event in told.events] == ["tool_call", "tool_result"] * 2 + ["final"]
    assert told.result.usage == {"steps": 2, "tool_calls": 2, "tokens": 0}


async def test_what_is_told_before_a_call_comes_before_it() -> None:
    """Although events and calls go two ways."""
    told = await _told(
        """
        for n in 1 2 3 4 5; do
          echo '{"type": "step", "data": {"name": "call"}}'
          echo '{"tool_id": "echo", "args": {"text": "x"}}' >&"$ARP_TOOLS_FD"; read -r answer <&"$ARP_TOOLS_FD"
        done
        """
    )
    assert [event["type"] for event in told.events] == ["step", "tool_call", "tool_result"] * 5 + ["final"]


async def test_the_exit_code_is_the_outcome() -> None:
    """Whatever was told before, with what was said so far; the code is in the details."""
    told = await _told("""echo '{"type": "token", "data": {"text": "so far"}}'; exit 3""")
    assert told.code == "command_failed"
    assert told.result.error
    assert told.result.error.details == {"exit_code": 3}
    assert told.result.output == {"answer": "so far", "partial": True}
    told = await _told("kill -SEGV $$")
    assert told.result.error
    assert "exit code 139 (SIGSEGV)" in told.result.error.message


async def test_an_error_event_is_the_reason_whatever_the_exit_code() -> None:
    """With its code, as an AgentError would have it."""
    event = json.dumps({"type": "error", "data": {"error": {"code": "no_paper", "message": "Empty."}}})
    for exit_code in (0, 1):
        told = await _told(f"echo '{event}'; exit {exit_code}")
        assert (told.code, told.result.error and told.result.error.message) == ("no_paper", "Empty.")


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo Hello", "Line 1 of the command's stdout: 'Hello' is no JSON"),
        ("echo Hello", "what is for people to stderr"),
        (
            """echo '{"type": "step", "data": {"name": "x"}}'; echo '[1]'""",
            "Line 2 of the command's stdout: list is no",
        ),
        ("""echo '"text"'""", "text alone is no event"),
        ("""echo '{"type": "final"}'; echo '{"type": "final"}'""", "Nothing may follow the last event"),
        (f"head -c {MAX_LINE_BYTES + 1} /dev/zero", f"it has more than {MAX_LINE_BYTES} bytes"),
        ("echo rubbish >&$ARP_TOOLS_FD; read -r answer <&$ARP_TOOLS_FD", "A call of a tool is"),
    ],
)
async def test_a_malformed_line_ends_the_run_with_place_and_cure(script: str, why: str) -> None:
    """And the command with it, although it would have gone on."""
    told = await _told(f"{script}; exec sleep 1000")
    assert told.code == "invalid_event"
    assert told.result.error
    assert why in told.result.error.message


async def test_what_a_command_says_on_stderr_is_in_the_trace() -> None:
    """Line by line, and not in the result; of too much the end is left out."""
    notes = Notes()
    async with managed(_bash("echo one >&2; printf two >&2; exit 1"), trace=notes) as runs:
        told = await ended(runs, runs.create(request(run_id="r1")).run_id)
        assert notes.said() == ["one", "two"]
        assert ("r1", TraceLevel.INFO, "stderr", {"text": "one"}) in notes.taken
        assert "one" not in told.result.to_json().decode()
    notes = Notes()
    async with managed(
        _bash("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2"), trace=notes
    ) as runs:
        assert (await ended(runs, runs.create(request()).run_id)).result.ok
        assert notes.said()[-1].startswith("... and ")
        assert sum(map(len, notes.said())) < 1_100_000


async def _cancel(script: str, trace: Notes | None = None) -> Story:
    """Start a command, cancel it once it has said `begun`, and see that nothing of it lives."""
    async with managed(_bash(script), trace=trace) as runs:
        run = runs.create(request())
        await _until(runs, run.run_id, "begun")
        assert len(find_marked("ARP_RUN_ID", run.run_id)) >= 1
        assert (await runs.cancel(run.run_id)).state is RunState.CANCELED
        assert find_marked("ARP_RUN_ID", run.run_id) == []
        assert runs.abandoned == 0
        return await ended(runs, run.run_id)


_BEGUN = """echo '{"type": "step", "data": {"name": "begun"}}'"""


async def test_a_canceled_command_may_clean_up() -> None:
    """It is sent SIGTERM first, with all of its group."""
    notes = Notes()
    told = await _cancel(f"trap 'echo cleaned up >&2; exit 0' TERM; {_BEGUN}; sleep 1000 & wait", notes)
    assert told.events[-1]["data"]["error"]["code"] == "canceled"
    assert notes.said() == ["cleaned up"]


async def test_a_command_that_ignores_sigterm_is_killed_with_all_its_children() -> None:
    """However they hid: ignoring it, in another session, forked twice."""
    hidden = "(trap '' TERM; sleep 1000) & setsid sleep 1000 & (setsid sleep 1000 &) ; (setsid setsid sleep 1000 &) &"
    await _cancel(f"trap '' TERM; {hidden} {_BEGUN}; sleep 1000; sleep 1000")


async def test_what_a_command_leaves_behind_at_its_end_is_ended() -> None:
    """A run that has ended has no processes, and does not wait for them either."""
    async with managed(_bash("setsid sleep 1000 & sleep 1000 & exit 0")) as runs:
        run = runs.create(request())
        assert (await ended(runs, run.run_id)).result.ok
        assert find_marked("ARP_RUN_ID", run.run_id) == []


async def test_a_command_over_its_timeout_is_killed() -> None:
    """Its run fails with limit_exceeded."""
    async with managed(_bash("exec sleep 1000")) as runs:
        run = runs.create(request(limits={"timeout_ms": 50}))
        assert (await ended(runs, run.run_id)).code == "limit_exceeded"
        assert find_marked("ARP_RUN_ID", run.run_id) == []


async def test_a_command_over_a_limit_is_killed() -> None:
    """A flood of tokens ends with the last that may be told."""
    told = await _told("""yes '{"type": "token", "data": {"text": "x"}}'""", limits={"max_tokens": 5})
    assert told.code == "limit_exceeded"
    assert told.result.output == {"answer": "xxxxx", "partial": True}


_KILLED_RUNTIME = """
import os, signal
import anyio
from arp_runtime.agents.loading import load_agent
from runtime.scene import managed, request

async def main():
    async with managed(load_agent("{command}")) as runs:
        run = runs.create(request(run_id="killed-with-its-runtime"))
        while b"begun" not in (await run.log.read(0)).body:
            await anyio.lowlevel.checkpoint()
        os.kill(os.getpid(), signal.SIGKILL)

anyio.run(main)
"""


async def test_commands_die_with_a_runtime_that_is_killed(tmp_path: Path) -> None:
    """Nobody is there to end them, and they end all the same."""
    script = tmp_path / "agent.sh"
    script.write_text(f"#!/bin/bash\ntrap '' TERM\nsetsid sleep 1000 &\n{_BEGUN}\nsleep 1000\n")
    script.chmod(0o755)
    source = _KILLED_RUNTIME.format(command=f"command:{script}")
    tests = str(Path(__file__).parents[1])
    with anyio.fail_after(30):
        done = await anyio.run_process(
            [sys.executable, "-c", source], check=False, env={"PYTHONPATH": tests, "PATH": "/usr/bin:/bin"}
        )
        assert done.returncode == -9, done.stderr
        while find_marked("ARP_RUN_ID", "killed-with-its-runtime"):
            await anyio.lowlevel.checkpoint()


async def test_a_stop_of_the_runtime_ends_its_commands() -> None:
    """Their runs are interrupted."""
    async with managed(_bash(f"{_BEGUN}; exec sleep 1000")) as runs:
        run = runs.create(request())
        await _until(runs, run.run_id, "begun")
        await runs.drain(0)
        assert (await ended(runs, run.run_id)).code == "interrupted"
        assert find_marked("ARP_RUN_ID", run.run_id) == []


async def test_a_command_does_not_know_what_is_between_runtime_and_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the runtime's environment but for the instance's nonce."""
    monkeypatch.setenv("ARP_INSTANCE_NONCE", "secret")
    monkeypatch.setenv("MY_SETTING", "x")
    told = await _told("""echo '{"type": "token", "data": {"text": "'$MY_SETTING$ARP_INSTANCE_NONCE'"}}'""")
    assert told.result.output == {"answer": "x"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("command:bash -c 'exit 0'", ["bash", "-c", "exit 0"]),
        ('command:["bash", "-c", "exit 0"]', ["bash", "-c", "exit 0"]),
    ],
)
def test_a_command_is_words_and_never_a_shells(name: str, words: list[str]) -> None:
    """Parted as a shell would, or a JSON list."""
    loaded = load_agent(name)
    assert loaded.workplace is Workplace.PROCESS
    assert vars(loaded.call)["_command"] == words


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("command:", "which command?"),
        ("command:'", "No closing quotation"),
        ('command:["a", 1]', "Expected `str`"),
        ("command:no-such-program --now", "there is no program 'no-such-program'"),
        ("command:./plain.sh", "make it executable: chmod +x ./plain.sh"),
    ],
)
def test_a_command_that_cannot_be_is_refused_at_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    """With the cure, before anything is served."""
    (tmp_path / "plain.sh").write_text("exit 0")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AgentNotLoadableError) as caught:
        load_agent(name)
    assert why in str(caught.value)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")
async def test_node_can_be_an_agent(tmp_path: Path) -> None:
    """With nothing but its own library; tools included."""
    script = tmp_path / "agent.mjs"
    script.write_text(
        """
        import { readFileSync, readSync, writeSync } from "node:fs";
        const request = JSON.parse(readFileSync(0, "utf8"));
        const fd = Number(process.env.ARP_TOOLS_FD);
        writeSync(fd, JSON.stringify({ tool_id: "calculator", args: { expression: request.input.goal } }) + "\\n");
        const buffer = Buffer.alloc(65536);
        const answer = JSON.parse(buffer.subarray(0, readSync(fd, buffer)).toString());
        console.log(JSON.stringify({ type: "final", data: { output: { sum: answer.result.value } } }));
        """
    )
    told = await story(load_agent(f"command:node {script}"), "19*23")
    assert told.result.output == {"sum": 437}
