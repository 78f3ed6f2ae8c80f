"""Programs written for arp-standard-py 0.1.0 work with our services, and with our SDK in its place."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import anyio
import pytest

from contracts.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

_PROGRAMS = Path(__file__).with_name("sdk_programs")
_PROGRAM_TIMEOUT_S = 60
_PLACE = "http://<daemon-host>:<port>"
# What the published SDK's own documentation shows comes first in ours, word for word.
_FIRST_STEPS = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)[:2]


@pytest.fixture(params=["published", "ours"])
def python(request: pytest.FixtureRequest) -> str:
    """A Python that has the one SDK, then one that has the other."""
    if request.param == "ours":
        return sys.executable
    venv: Path = request.getfixturevalue("published_sdk")
    return str(venv / "python")


async def _run(python: str, *arguments: str) -> str:
    """Run a program that must succeed; return what it printed."""
    with anyio.fail_after(_PROGRAM_TIMEOUT_S):
        done = await anyio.run_process([python, *arguments], check=False, stderr=PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        (_FIRST_STEPS[0], lambda text: "'status': 'ok'" in text and "'runtime_profile': 'default'" in text),
        (_FIRST_STEPS[1], lambda text: "'ok': True" in text and "hello" in text),
    ],
    ids=["health and instances", "a run"],
)
async def test_the_documented_examples_work(
    python: str, daemon_url: str, example: str, printed: Callable[[str], bool]
) -> None:
    """On a fresh daemon, with nothing but the address filled in."""
    text = await _run(python, "-c", example.replace(_PLACE, daemon_url))
    assert printed(text), text


async def test_every_call_of_the_daemon_client_works(python: str, daemon_url: str, runtime_url: str) -> None:
    """Profiles, instances, runs, traces, and an error with its code."""
    await _run(python, str(_PROGRAMS / "daemon_facade.py"), daemon_url, runtime_url)


async def test_every_call_of_the_runtime_client_works(python: str, runtime_url: str) -> None:
    """Runs, their events, and canceling; an error with its code."""
    await _run(python, str(_PROGRAMS / "runtime_facade.py"), runtime_url)
