"""SmolLM2-135M-Instruct works on goals: in a runtime, and through `arpctl run` and a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from cli.arpctl import started
from runtime.streams import execute, following
from support.daemon import running_daemon
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# As docs/runtime.md says it: arp-runtime serve --agent model --local-model
_LOCAL = ("--agent", "model", "--local-model")
# It makes some 70 tokens a second where the machine has nothing else to do.
_PATIENCE_S = 300
_CANCELED = 130
pytestmark = pytest.mark.timeout(2 * _PATIENCE_S)
_STORY = "Tell me a long story about a dragon and a princess."


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a runtime with the model; the runtime ends well, with the model in it."""
    async with running_runtime(*_LOCAL) as runtime:
        async with httpx.AsyncClient(base_url=runtime.base_url, timeout=_PATIENCE_S) as opened:
            yield opened
        assert await runtime.stop() == 0


async def test_its_tokens_stream_and_are_counted(client: httpx.AsyncClient) -> None:
    """Each is an event, in the order in which they make the answer; the usage is the model's own count."""
    told = await execute(client, "What is the capital of France?", limits={"max_steps": 1})
    last = told[-1].data["data"]
    assert last["ok"], last
    words = [event.data["data"]["text"] for event in told if event.type == "token"]
    assert len(words) > 1
    assert "".join(words) == last["output"]["answer"]
    usage = last["usage"]
    assert usage["prompt_tokens"] > 10
    assert usage["completion_tokens"] >= len(words)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_max_tokens_ends_it(client: httpx.AsyncClient) -> None:
    """With what it has said so far."""
    last = (await execute(client, _STORY, limits={"max_tokens": 8}))[-1].data["data"]
    assert last["error"]["code"] == "limit_exceeded"
    assert last["output"]["partial"] is True
    assert last["usage"]["completion_tokens"] == 8


async def test_it_is_cancelled_in_the_middle_of_a_sentence(client: httpx.AsyncClient) -> None:
    """Once its first tokens have come; the place is free at once for others, however many were taken."""
    for _ in range(5):
        created = await client.post("/v1/runs", json={"input": {"goal": _STORY}})
        run_id = created.json()["run_id"]
        with anyio.fail_after(_PATIENCE_S):
            async with following(client, f"/v1/runs/{run_id}/events") as events:
                seen = [await anext(events) for _ in range(4)]
                answer = await client.post(f"/v1/runs/{run_id}:cancel")
                assert answer.json()["state"] == "canceled"
                seen += [event async for event in events]
        assert [event.type for event in seen[:4]] == ["step", "token", "token", "token"]
        last = seen[-1].data["data"]
        assert last["error"]["code"] == "canceled"
        assert last["output"]["answer"]
    assert (await execute(client, "Say hello.", limits={"max_tokens": 200}))[-1].data["data"]["usage"]["tokens"] > 0


async def test_several_runs_are_answered_at_once(client: httpx.AsyncClient) -> None:
    """And those that are too many wait for their turn."""
    answered = []

    async def ask(number: int) -> None:
        told = await execute(client, f"Count to {number}.", limits={"max_tokens": 20})
        answered.append(told[-1].data["data"]["usage"]["completion_tokens"])

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(ask, number)
    assert len(answered) == 6
    assert min(answered) > 0


async def test_it_streams_through_arpctl_and_a_daemon(tmp_path: Path) -> None:
    """An instance with the model is forked from the warm template; its tokens come while the run goes on."""
    async with running_daemon(tmp_path / "data") as daemon:
        local = {"ARP_RUNTIME_LOCAL_MODEL": "true"}
        await daemon.put_profile("local", driver="runtime", agent="model", template="arp_runtime.cli:main", env=local)
        arguments = ("run", _STORY, "--profile", "local", "--run-id", "story", "--json")
        async with started(*arguments, url=daemon.url) as process:
            assert process.stderr is not None
            lines = BufferedByteReceiveStream(process.stderr)
            with anyio.fail_after(_PATIENCE_S):
                told = [json.loads(await lines.receive_until(b"\n", 65536))["type"] for _ in range(4)]
                assert (await daemon.get("/v1/runs/story"))["state"] == "running"
                await daemon.client.post("/v1/runs/story:cancel")
                assert await process.wait() == _CANCELED
        assert told == ["step", "token", "token", "token"]
        run_id = await daemon.submit("Say hello.", runtime_selector={"runtime_profile": "local"})
        kinds = [event["type"] async for event in daemon.follow(run_id)]
    assert kinds[0] == "step"
    assert kinds.count("token") > 1
    assert kinds[-1] == "final"
