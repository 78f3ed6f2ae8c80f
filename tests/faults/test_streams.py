"""Readers of a run's events: cut off at every event, or never reading at all."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
import psutil

from faults.raw import connected, request_head
from faults.repetitions import times
from faults.stored import stored_log
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.scene import Scene

READERS = 5


async def test_a_stream_that_is_cut_at_every_event_shows_the_stored_log_byte_for_byte(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """While the run goes on, and after it: each reader takes one event a connection, and misses and repeats nothing."""
    await scene.put_agent("counting")
    cuts = 0
    for _ in range(times(20, 1)):
        run_id = await scene.daemon.submit("40")
        seen: list[bytes] = []
        async with anyio.create_task_group() as tasks:
            for _ in range(READERS):
                tasks.start_soon(_read_cut, scene, run_id, seen)
        await _read_cut(scene, run_id, seen)
        log = stored_log(scene.daemon.data_dir, run_id)
        assert [read == log for read in seen] == [True] * (READERS + 1)
        frames = _frames(log)
        cuts += len(frames) * len(seen)
        for seq in range(len(frames)):
            rest = await scene.daemon.client.get(f"/v1/runs/{run_id}/events", headers={"Last-Event-ID": str(seq)})
            assert rest.content == b"".join(frames[seq + 1 :])
    tell("streams cut and resumed", f"{cuts} cuts, each log seen byte for byte as stored")


async def test_readers_that_never_read_cost_the_daemon_little_and_nobody_else_anything(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """200 of them, on a run that says a lot: the run succeeds, another reader sees all, memory stays bounded."""
    await scene.put_agent("flooding")
    readers = times(200)
    process = psutil.Process(scene.daemon.process.pid)
    await scene.daemon.end(await scene.daemon.submit("1"))
    before = process.memory_info().rss
    run_id = await scene.daemon.submit("3000")
    async with AsyncExitStack() as stack:
        for _ in range(readers):
            stream = await stack.enter_async_context(connected(scene.daemon.port))
            await stream.send(request_head("GET", f"/v1/runs/{run_id}/events"))
        events = await scene.daemon.events(run_id)
        grown = process.memory_info().rss - before
        assert (await scene.daemon.get("/v1/health"))["status"] == "ok"
    said = sum(len(event["data"].get("text", "")) for event in events)
    assert events[-1]["type"] == "final"
    assert said == 3000 * 1000
    await until(lambda: len(process.net_connections()) < readers)
    tell(
        "readers that never read",
        f"{readers} readers of a run of {said / 1e6:.0f} MB: {grown / 1e6:.0f} MB more memory, the run succeeded",
    )


async def _read_cut(scene: Scene, run_id: str, seen: list[bytes]) -> None:
    """Read a run's events to the end, each by a connection of its own."""
    read: list[bytes] = []
    while not read or b"\nevent: final\n" not in read[-1]:
        headers = {} if not read else {"Last-Event-ID": str(len(read) - 1)}
        async with scene.daemon.client.stream("GET", f"/v1/runs/{run_id}/events", headers=headers) as response:
            body = b""
            async for chunk in response.aiter_raw():
                body += chunk
                if frames := _frames(body):
                    read.append(frames[0])
                    break
    seen.append(b"".join(read))


def _frames(body: bytes) -> list[bytes]:
    """Whole frames; heartbeats are none."""
    return [part + b"\n\n" for part in body.split(b"\n\n")[:-1] if part.startswith(b"id: ")]
