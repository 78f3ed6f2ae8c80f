"""Runs in the hands of those who submit them, with a real daemon: both kinds of client do all of it."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

import arp_sdk
from arp_sdk import ArpRunCanceledError, ArpRunFailedError, ArpWaitTimeoutError, _follow
from arp_sdk.errors import ArpApiError, ArpRequestError
from arp_sdk.models import RunResult, RunState
from sdk.both_kinds import open_client
from sdk.cutting import cutting
from support.daemon import RunningDaemon, running_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# How long an end may take, in seconds, where there is one.
PATIENCE = 30


@pytest.fixture(scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDaemon]:
    """One for all tests here; each looks at runs of its own."""
    async with running_daemon(tmp_path_factory.mktemp("daemon") / "data") as running:
        yield running


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, daemon: RunningDaemon) -> AsyncIterator[Any]:
    """A client of the daemon, of both kinds one after the other."""
    async with open_client(request.param, "Daemon", daemon.url) as opened:
        yield opened


async def test_a_goal_goes_in_and_its_output_comes_out(client: Any) -> None:
    """The shortest way: run, result, output."""
    run = await client.run("What is 2+2?", profile="default", timeout_ms=60_000)
    result = await run.result(PATIENCE)
    assert result.output["answer"] == "2+2 = 4"
    assert isinstance(result, RunResult)
    assert (result.run_id, result.ok) == (run.run_id, True)
    assert (await run.status()).state is RunState.SUCCEEDED


async def test_all_that_run_takes_reaches_the_daemon(client: Any) -> None:
    """Labels and the run's id are the run's; the key makes one run of two calls; limits and tools are obeyed."""
    run_id = f"own-id-{random.random()}"
    run = await client.run("count to 3", run_id=run_id, labels={"team": "blue"}, max_steps=5, context={"a": 1})
    assert run.run_id == run_id
    assert repr(run).endswith(f"RunHandle {run_id!r}>")
    await run.result(PATIENCE)
    assert run_id in [listed.run_id async for listed in client.iter_runs(label=["team=blue"])]
    first, again = [await client.run("hello", idempotency_key=run_id, data={"b": [2]}) for _ in range(2)]
    assert first.run_id == again.run_id
    denied = await client.run("What is 2+2?", deny_tool_ids=["calculator"])
    with pytest.raises(ArpRunFailedError) as failed:
        await denied.result(PATIENCE)
    assert failed.value.code == "tool_denied"
    limited = await client.run("count to 1000 slowly", timeout_ms=0)
    with pytest.raises(ArpRunFailedError, match="limit_exceeded"):
        await limited.result(PATIENCE)


async def test_a_run_that_fails_raises_why_with_what_it_did(client: Any) -> None:
    """The error is the run's own: code, message, result; it survives the way between processes."""
    run = await client.run("Fail, the dog ate it")
    with pytest.raises(ArpRunFailedError) as caught:
        await run.result(PATIENCE)
    error = caught.value
    assert (error.code, error.message, error.run_id) == ("failed_on_purpose", "the dog ate it", run.run_id)
    assert str(error) == f"Run {run.run_id!r} failed: failed_on_purpose: the dog ate it"
    assert error.result.ok is False
    assert (error.output, error.status.state) == ({}, RunState.FAILED)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.result) == (ArpRunFailedError, str(error), error.result)


async def test_a_canceled_run_raises_so_and_keeps_what_it_said(client: Any) -> None:
    """Canceled is told apart from failed, and the output until then is there."""
    run = await client.run("count to 1000 slowly")
    async with aclosing(run.events()) as events:
        async for event in events:
            if event.type_ == "token":
                break
    await run.cancel()
    with pytest.raises(ArpRunCanceledError) as caught:
        await run.result(PATIENCE)
    assert caught.value.code == "canceled"
    assert caught.value.output["answer"].startswith("1")


async def test_to_wait_no_longer_cancels_nothing(client: Any) -> None:
    """A timeout ends the wait and not the run; without time, the state is still asked for once."""
    run = await client.run("count to 1000 slowly")
    for timeout in (0, 0.3):
        with pytest.raises(ArpWaitTimeoutError) as caught:
            await run.result(timeout)
        assert (caught.value.run_id, caught.value.code) == (run.run_id, "wait_timeout")
        copy = pickle.loads(pickle.dumps(caught.value))
        assert (str(copy), copy.status) == (str(caught.value), caught.value.status)
    assert (await run.status()).state in {RunState.QUEUED, RunState.RUNNING}
    await run.cancel()
    assert (await client.wait_for_run(run.run_id, PATIENCE)).state is RunState.CANCELED
    assert (await client.wait_for_run(run.run_id, 0)).state is RunState.CANCELED


async def test_leaving_a_block_cancels_nothing(client: Any, daemon: RunningDaemon) -> None:
    """A closed client, and a stream that was left in the middle, leave the run alone; its id leads back to it."""
    kind = "async" if isinstance(client, arp_sdk.AsyncDaemonClient) else "sync"
    async with open_client(kind, "Daemon", daemon.url) as other:
        run = await other.run("count to 1000 slowly")
        async with aclosing(run.events()) as events:
            await anext(events)
    found = client.run_handle(run.run_id)
    async with aclosing(found.events(after=0)) as events:
        # It still speaks.
        assert (await anext(events)).seq == 1
    await found.cancel()
    assert (await client.wait_for_run(run.run_id, PATIENCE)).state is RunState.CANCELED


async def test_what_cannot_be_asked_for_is_refused_before_anything_is_sent(client: Any) -> None:
    """An option that is mistyped, and a value that is not what the contract says, name themselves."""
    with pytest.raises(TypeError, match="run\\(\\) has no option profil; it has context, "):
        await client.run("g", profil="default")
    with pytest.raises(ArpRequestError, match=r"\$\.metadata\.labels"):
        await client.run("g", labels={"a": 1})
    with pytest.raises(ArpRequestError, match=r"\$\.tool_policy\.allow_tool_ids"):
        await client.run("g", allow_tool_ids="calculator")
    with pytest.raises(ArpApiError) as caught:
        await client.run_handle("nobody-knows").result(PATIENCE)
    assert caught.value.code == "run_not_found"


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("seed", range(2))
async def test_every_event_comes_once_wherever_the_connection_is_cut(
    kind: str, seed: int, daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams that break after any number of bytes, in heads and in the middle of events, are put together again."""
    monkeypatch.setattr(_follow, "RESUME_DELAY", 0.001)
    run_id = await daemon.submit("count to 100")
    whole = await daemon.events(run_id)
    chance = random.Random(seed)
    budgets = iter(lambda: chance.randrange(1, 1500), None)
    # Now and then an event must get through.
    lengths = (
        max(budget, 900) if number % _follow.RESUME_TRIES == 0 else budget for number, budget in enumerate(budgets)
    )
    with cutting(daemon.url, lambda: next(lengths)) as cutter:
        async with open_client(kind, "Daemon", cutter.url) as client:
            events = [event async for event in client.run_handle(run_id).events()]
    assert [event.to_dict() for event in events] == whole
    assert cutter.cuts > 20


async def test_a_daemon_that_dies_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    """Events and result of a run come through the daemon's death, to both kinds of client: each event once."""
    daemon = RunningDaemon(tmp_path / "data")
    await daemon.start()
    port = daemon.url.rpartition(":")[2]
    seen: dict[str, list[int]] = {"sync": [], "async": []}
    answers: list[str] = []

    async def follow(kind: str, run_id: str, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with open_client(kind, "Daemon", daemon.url) as client:
            async for event in client.run_handle(run_id).events():
                seen[kind].append(event.seq)
                if event.seq == 3:
                    task_status.started()

    async def wait(kind: str, run_id: str) -> None:
        async with open_client(kind, "Daemon", daemon.url) as client:
            answers.append((await client.run_handle(run_id).result(PATIENCE)).output["answer"])

    try:
        run_id = await daemon.submit("count to 15 slowly")
        async with anyio.create_task_group() as tasks:
            for kind in seen:
                tasks.start_soon(wait, kind, run_id)
            for kind in seen:
                await tasks.start(follow, kind, run_id)
            await daemon.kill()
            await daemon.start("--port", port)
        events = await daemon.events(run_id)
    finally:
        await daemon.stop()
    assert answers == ["Counted to 15."] * 2
    assert seen == {kind: [event["seq"] for event in events] for kind in seen}


_PATIENT = """
import faulthandler, os, arp_sdk
faulthandler.dump_traceback_later(20, exit=True)  # says where it hangs, should it ever
with arp_sdk.DaemonClient(os.environ["URL"]) as daemon:
    run = daemon.run("count to 1000 slowly")
    print(run.run_id, flush=True)
    {wait}
"""


@pytest.mark.parametrize("wait", ["run.result()", "for event in run.events(): print(event.seq, flush=True)"])
async def test_control_c_leaves_at_once_and_the_run_goes_on(wait: str, daemon: RunningDaemon) -> None:
    """KeyboardInterrupt comes out of a wait and out of a stream; nobody told the daemon to cancel."""
    program = await anyio.open_process(
        [sys.executable, "-W", "error", "-c", _PATIENT.format(wait=wait)],
        env={**os.environ, "URL": daemon.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout
    assert program.stderr
    run_id = (await program.stdout.receive()).decode().split()[0]
    await daemon.until_event(run_id, "token")
    program.send_signal(signal.SIGINT)
    with anyio.fail_after(PATIENCE):
        said = b"".join([piece async for piece in program.stderr])
        assert (await program.wait(), said.split()[-1:]) == (-signal.SIGINT, [b"KeyboardInterrupt"]), said.decode()
    assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "running"
    await daemon.client.post(f"/v1/runs/{run_id}:cancel")
