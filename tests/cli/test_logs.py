"""`arpctl logs` against a real daemon."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from cli.arpctl import PATIENCE_S, call, started
from support.daemon import RunningDaemon, running_daemon
from support.waiting import until_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

_AGENT = """
import sys

async def agent(context):
    print(context.goal)
    print("aside:", context.goal, file=sys.stderr)
"""


@pytest.fixture(scope="module")
async def daemon(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """Its agent prints the goal, and to stderr something beside it."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "talk.py").write_text(_AGENT)
    async with running_daemon(tmp_path_factory.mktemp("daemon") / "data") as running:
        await running.put_profile(driver="runtime", agent="talk:agent", working_directory=str(folder))
        yield running


@pytest.fixture
async def instance_id(daemon: RunningDaemon) -> str:
    """An instance that has said `one` and `\\x1b[31mtwo`."""
    for goal in ("one", "\x1b[31mtwo"):
        await daemon.result(await daemon.submit(goal))
    (instance,) = await daemon.instances()
    path = f"/v1/instances/{instance['instance_id']}/logs?lines=1&stream="

    async def written() -> list[str]:
        return [(await daemon.client.get(path + stream)).text for stream in ("stdout", "stderr")]

    await until_answer(written, lambda said: all(text.endswith("two\n") for text in said))
    return str(instance["instance_id"])


async def test_what_an_instance_wrote_is_printed(daemon: RunningDaemon, instance_id: str) -> None:
    """As many lines of the stream as asked for, without what a terminal would obey; as JSON, as it is."""
    stdout = ("logs", instance_id, "--stream", "stdout")
    assert call(*stdout, "--lines", "2", url=daemon.url).out == "one\ntwo\n"
    assert call(*stdout, "--lines", "1", url=daemon.url).out == "two\n"
    assert json.loads(call(*stdout, "--lines", "1", "--json", url=daemon.url).out) == {
        "instance_id": instance_id,
        "stream": "stdout",
        "text": "\x1b[31mtwo\n",
    }
    assert call("logs", instance_id, url=daemon.url).out.endswith("aside: one\naside: two\n")


async def _until(process: Process, text: str) -> str:
    assert process.stdout is not None
    said = ""
    with anyio.fail_after(PATIENCE_S):
        while text not in said:
            said += (await process.stdout.receive()).decode()
    return said


async def test_an_instance_is_followed_until_it_ends(daemon: RunningDaemon, instance_id: str) -> None:
    """What it says next is printed when it comes; Ctrl-C leaves, and the end of the instance is no error."""
    words = ("logs", instance_id, "--stream", "stdout", "--lines", "1", "--follow")
    async with started(*words, url=daemon.url) as left, started(*words, url=daemon.url) as patient:
        for process in (left, patient):
            assert await _until(process, "\n") == "two\n"
        await daemon.result(await daemon.submit("three"))
        for process in (left, patient):
            assert await _until(process, "\n") == "three\n"
        left.send_signal(signal.SIGINT)
        assert (await daemon.client.delete(f"/v1/instances/{instance_id}")).is_success
        with anyio.fail_after(PATIENCE_S):
            assert (await left.wait(), await patient.wait()) == (130, 0)


def test_an_instance_that_there_is_not_is_refused(daemon: RunningDaemon) -> None:
    """As every command does."""
    answer = call("logs", "nobody", url=daemon.url)
    assert (answer.code, answer.out) == (4, "")
    assert "arpctl: Instance 'nobody' does not exist." in answer.err
    assert call("logs", "nobody", "--follow", url=daemon.url).code == 4
