"""Programs written for arp-standard-py 0.1.0 do the same with our SDK in its place, on our services and on others.

Each of `sdk_programs` makes use of a part of the published API, and tells what it sees. It runs with both SDKs, each
in a venv of its own and with a fresh service, on the Python that runs the tests and on the oldest that the SDK
supports. `sdk_differences` has what is otherwise on purpose.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from contracts.tree import ROOT
from interop.sdk_differences import DIFFERENCES
from support.daemon import running_daemon
from support.jarvis_program import serving_tools
from support.published import find_python, installed, installed_ours
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_PROGRAMS = Path(__file__).with_name("sdk_programs")
_PROGRAM_TIMEOUT_S = 60
_PLACE = "http://<daemon-host>:<port>"
_NEWEST, _OLDEST = sys.executable, find_python("3.10")
# What the published SDK's own documentation shows comes first in ours, word for word.
_FIRST_STEPS = re.findall(
    r"^```python\n(.*?)^```$", (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)[:2]


@pytest.fixture(
    scope="session",
    params=[
        "newest",
        pytest.param("oldest", marks=pytest.mark.skipif(_OLDEST is None, reason="this machine has no Python 3.10")),
    ],
)
def sdks(request: pytest.FixtureRequest) -> dict[str, Path]:
    """A Python that has the published SDK, and one that has ours."""
    python = _NEWEST if request.param == "newest" else _OLDEST
    assert python is not None
    published = installed(f"sdk-{request.param}", "arp-standard-py==0.1.0", python=python)
    ours = installed_ours(f"our-sdk-{request.param}", "model", "sdk", python=python)
    return {"published": published / "python", "ours": ours / "python"}


async def _run(python: Path, *arguments: str) -> str:
    """Run a program that must succeed; return what it printed."""
    with anyio.fail_after(_PROGRAM_TIMEOUT_S):
        done = await anyio.run_process([str(python), *arguments], check=False, stderr=PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@asynccontextmanager
async def _services(program: str, jarvis: Path, folder: Path) -> AsyncIterator[list[str]]:
    """Fresh services, as a program needs them; yield their URLs."""
    await anyio.Path(folder).mkdir()
    async with AsyncExitStack() as stack:
        urls = []
        if program == "daemon_calls":
            urls.append((await stack.enter_async_context(running_daemon(folder / "data"))).url)
        if program in {"daemon_calls", "runtime_calls"}:
            urls.append((await stack.enter_async_context(running_runtime())).base_url)
        if program == "tool_registry_calls":
            urls.append(await stack.enter_async_context(serving_tools(jarvis, folder)))
        yield urls


async def _transcript(python: Path, program: str, jarvis: Path, folder: Path) -> dict[str, Any]:
    """Run a program with one SDK; return the facts that it tells, by their names."""
    async with _services(program, jarvis, folder) as urls:
        lines = (await _run(python, str(_PROGRAMS / f"{program}.py"), *urls)).splitlines()
    facts = [json.loads(line) for line in lines]
    transcript = {fact["what"]: fact["value"] for fact in facts}
    assert len(transcript) == len(facts) > 0
    return transcript


@pytest.mark.parametrize(
    "program",
    [
        "client_options",
        "daemon_calls",
        "documents",
        "failures",
        "low_level_clients",
        "request_objects",
        "requests_sent",
        "runtime_calls",
        "tool_registry_calls",
    ],
)
async def test_a_program_sees_the_same_with_both(
    sdks: dict[str, Path], program: str, jarvis: Path, tmp_path: Path
) -> None:
    """Every fact that it tells is the same, but for those that are known to differ."""
    transcripts: dict[str, dict[str, Any]] = {}

    async def transcribe(sdk: str) -> None:
        transcripts[sdk] = await _transcript(sdks[sdk], program, jarvis, tmp_path / sdk)

    async with anyio.create_task_group() as tasks:
        for sdk in sdks:
            tasks.start_soon(transcribe, sdk)
    published, ours = transcripts["published"], transcripts["ours"]
    assert list(published) == list(ours)
    differing = {what: (published[what], ours[what]) for what in published if published[what] != ours[what]}
    known = DIFFERENCES.get(program, {})
    assert {what: seen for what, seen in differing.items() if what not in known} == {}
    assert set(known) <= set(differing)


@pytest.mark.parametrize("sdks", ["newest"], indirect=True)
@pytest.mark.parametrize("sdk", ["published", "ours"])
@pytest.mark.parametrize(
    ("example", "printed"),
    [
        (_FIRST_STEPS[0], lambda text: "'status': 'ok'" in text and "'runtime_profile': 'default'" in text),
        (_FIRST_STEPS[1], lambda text: "'ok': True" in text and "hello" in text),
    ],
    ids=["health and instances", "a run"],
)
async def test_the_documented_examples_work(
    sdks: dict[str, Path], sdk: str, daemon_url: str, example: str, printed: Callable[[str], bool]
) -> None:
    """On a fresh daemon, with nothing but the address filled in."""
    text = await _run(sdks[sdk], "-c", example.replace(_PLACE, daemon_url))
    assert printed(text), text
