"""Clients that come all at once, dawdle, or are none of the daemon's user."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import pytest

from faults import strangers
from faults.leaks import sockets_at
from faults.raw import Answers, connected, request, request_head
from faults.repetitions import times
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.scene import Scene

CLIENTS = 200


async def test_many_clients_that_submit_one_id_at_once_make_one_run(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Half of them mean another run: either half gets the one run, the other a conflict; it is executed once."""
    await scene.put_agent("noted")
    rounds = times(20, 1)
    for number in range(rounds):
        bodies = [
            request("POST", "/v1/runs", b'{"run_id": "one-%d", "input": {"goal": "%b-%d"}}' % (number, goal, number))
            for goal in (b"one", b"other")
        ]
        answers: dict[int, list[int]] = {0: [], 1: []}
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(connected(scene.daemon.port)) for _ in range(CLIENTS)]
            async with anyio.create_task_group() as tasks:
                for place, stream in enumerate(streams):
                    tasks.start_soon(_submit, stream, bodies[place % 2], answers[place % 2])
        kinds = sorted(str(sorted(Counter(statuses).items())) for statuses in answers.values())
        assert kinds == [f"[(202, {CLIENTS // 2})]", f"[(409, {CLIENTS // 2})]"]
        assert (await scene.daemon.end(f"one-{number}"))["state"] == "succeeded"
    begun = Counter(entry.token for entry in scene.ledger.entries() if entry.phase == "begin")
    assert begun == {f"one-{number}": 1 for number in range(rounds)}
    tell("one id, submitted at once", f"{rounds} times {CLIENTS} clients: one run each time, executed once")


@pytest.mark.full
async def test_clients_that_dawdle_hold_up_nobody(scene: Scene, tell: Callable[[str, object], None]) -> None:
    """Connections that send half a head, or half a body, and wait: others are served, and they are let go of."""
    await scene.put_agent("noted")
    dawdlers = 200
    async with AsyncExitStack() as stack:
        for number in range(dawdlers):
            stream = await stack.enter_async_context(connected(scene.daemon.port))
            head = request_head("POST", "/v1/runs", length=1000)
            await stream.send(head[:20] if number % 2 else head + b'{"input":')
        for number in range(dawdlers):
            body = {"run_id": f"quick-{number}", "input": {"goal": f"quick-{number}"}}
            assert (await scene.daemon.client.post("/v1/runs", json=body)).status_code == 202
            assert (await scene.daemon.end(f"quick-{number}"))["state"] == "succeeded"
        held = len(sockets_at(scene.daemon.port))
    await until(lambda: len(sockets_at(scene.daemon.port)) < held - dawdlers + 1)
    tell("slow bodies", f"{dawdlers} connections that send no more: {dawdlers} runs of others succeeded meanwhile")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_a_stranger_who_sends_and_closes_at_once_gets_nothing_done(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Another user's request is refused, also when nobody can be asked any more whose it was."""
    await scene.put_agent("noted")
    count = times(2000)
    held = len(sockets_at(scene.daemon.port))
    await anyio.run_process([sys.executable, strangers.__file__, str(scene.daemon.port), str(count)])
    await until(lambda: len(sockets_at(scene.daemon.port)) <= held)
    assert (await scene.daemon.get("/v1/runs"))["runs"] == []
    assert scene.ledger.entries() == []
    tell("a stranger who closes at once", f"{count} requests: none was let in")


async def _submit(stream: anyio.abc.SocketStream, submission: bytes, statuses: list[int]) -> None:
    await stream.send(submission)
    status, _body = await Answers(stream).next()
    statuses.append(status)
