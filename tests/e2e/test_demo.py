"""The demo: what a newcomer sees first. It must work, tell the truth, and leave nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

pytestmark = pytest.mark.long

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"
PATIENCE_S = 110


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name, with the demo where it is in a checkout."""
    folder = tmp_path / "a checkout"
    (folder / "tools").mkdir(parents=True)
    shutil.copy(DEMO, folder / "tools")
    return folder


@asynccontextmanager
async def demo(checkout: Path, **variables: str) -> AsyncIterator[Process]:
    """The demo under way, stdout and stderr in one."""
    async with await anyio.open_process(
        [sys.executable, "tools/demo.py"],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
    ) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()


async def read_until(process: Process, text: str) -> str:
    """Read what it says until it says something, or, without a text, to its end."""
    assert process.stdout is not None
    said = ""
    with anyio.fail_after(PATIENCE_S):
        async for chunk in process.stdout:
            said += chunk.decode()
            if text and text in said:
                return said
        await process.wait()
    return said


def what_is_left(checkout: Path) -> list[str]:
    """Files that were not there before, and processes that know of the folder."""
    known = {checkout / "tools", checkout / "tools" / "demo.py", checkout / ".nox"}
    files = [str(path) for path in checkout.rglob("*") if path not in known]
    return [*files, *(str(process) for process in psutil.process_iter() if knows(process, str(checkout)))]


def knows(process: psutil.Process, folder: str) -> bool:
    try:
        return folder in " ".join([*process.cmdline(), *process.environ().values()])
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


async def test_the_demo_shows_four_runs_and_leaves_nothing(checkout: Path) -> None:
    """All runs at once, their events as they come, the results, everything stopped, and what to try next."""
    async with demo(checkout) as process:
        said = await read_until(process, "")
    assert process.returncode == 0, said
    events, results = said.split("\ngoal ", maxsplit=1)
    for line in (
        "multiply    tool_result  calculator → 437",
        "clock       tool_call    clock(time_zone=UTC)",
        "failure     error        failed_on_purpose: on purpose",
        "counting    token        1",
        "counting  enough: canceling it",
        "counting    error        canceled: The run was canceled.",
    ):
        assert line in events
    names = re.findall(r" s  (multiply|clock|failure|counting) ", events)
    assert set(names[:4]) == {"multiply", "clock", "failure", "counting"}
    assert events.index("multiply    final") < events.index("counting    error")
    for row in (
        r"What is \(19\*23\)\? +succeeded +.* \(19\*23\) = 437",
        r"What time is it in UTC\? +succeeded +.* In UTC it is",
        r"Fail on purpose +failed ",
        r"Count to 100 slowly +canceled ",
    ):
        assert re.search(row, results)
    assert re.search(r"All \d+ processes have ended", results)
    assert "nothing is left" in results
    assert 'arpctl run "What is (19*23)?"' in results
    assert "\x1b" not in said
    assert what_is_left(checkout) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_demo_that_is_interrupted_takes_its_daemon_with_it(number: signal.Signals, checkout: Path) -> None:
    """In the middle of a run: exit code 1, and nothing left all the same."""
    async with demo(checkout) as process:
        await read_until(process, "counting    token        1")
        process.send_signal(number)
        said = await read_until(process, "")
    assert process.returncode == 1
    assert f"It was ended by {number.name}." in said
    assert what_is_left(checkout) == []


async def test_a_daemon_that_does_not_start_is_shown_with_its_own_words(checkout: Path) -> None:
    """Exit code 1, the end of the daemon's log, and nothing left."""
    async with demo(checkout, ARP_DAEMON_CONFIG="/no/such/file.toml") as process:
        said = await read_until(process, "")
    assert process.returncode == 1
    assert "file.toml" in said
    assert "The daemon ended before it listened." in said
    assert what_is_left(checkout) == []
