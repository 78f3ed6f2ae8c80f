"""A profile names an agent as `arp-runtime --agent` does, and its instances are forked from a template all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.distributions import install

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon

_SOURCE = """
def agent(context):
    context.step("begun")
    return f"plain {context.goal}"
"""
_SCRIPT = """#!/usr/bin/env bash
echo '{"type": "step", "data": {"name": "begun"}}'
echo '{"type": "token", "data": {"text": "bash"}}'
"""


@pytest.mark.parametrize(
    ("name", "agent", "answer"),
    [
        ("file", "./plain.py:agent", "plain x"),
        ("installed", "installed-agent", "plain x"),
        ("command", "command:./agent.sh", "bash"),
    ],
)
async def test_a_profile_names_any_agent(
    shared_daemon: RunningDaemon, tmp_path: Path, name: str, agent: str, answer: str
) -> None:
    """By a file, by the name that an installed package gives it, or as a command."""
    (tmp_path / "plain.py").write_text(_SOURCE)
    (tmp_path / "agent.sh").write_text(_SCRIPT)
    (tmp_path / "agent.sh").chmod(0o755)
    install(tmp_path, "some-dist", entry_points={"arp_runtime.agents": {"installed-agent": "plain:agent"}})
    await shared_daemon.put_profile(
        name,
        driver="runtime",
        template="arp_runtime.cli:main",
        agent=agent,
        working_directory=str(tmp_path),
        env={"PYTHONPATH": str(tmp_path)},
    )
    run_id = await shared_daemon.submit("x", runtime_selector={"runtime_profile": name})
    result = await shared_daemon.result(run_id)
    assert result["output"] == {"answer": answer}
    assert next(event["type"] for event in await shared_daemon.events(run_id)) == "step"
