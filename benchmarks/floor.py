"""The floor: a bare Starlette app on Hypercorn, which does nothing that it need not.

`POST /v1/runs` is decoded and answered at once. `GET /fan-out` is a StreamingResponse for each watcher, which all get
the same bytes; `POST /fan-out` tells, once, how many bursts of how many events there are to be, and when. Run as a
program, it prints the port that it listens on.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import hypercorn.asyncio
import msgspec
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from arp_model import RunRequest
from benchmarks.fan_out import FanOut

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_BACKLOG = 1024
_EVENT = b'{"run_id":"watched","seq":%d,"type":"token","time":"2026-01-01T00:00:00.000000Z","data":{"text":"word "}}'


class _Log:
    """Frames, and an event that is set, and replaced, with each that are added."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.ended = False
        self.more = asyncio.Event()

    def add(self, count: int, *, last: bool) -> None:
        for seq in range(len(self.frames), len(self.frames) + count):
            self.frames.append(b"id: %d\nevent: token\ndata: %b\n\n" % (seq, _EVENT % seq))
        self.ended = last
        self.more.set()
        self.more = asyncio.Event()


def create_app() -> Starlette:
    """The app, with an empty log."""
    log, tasks = _Log(), set[asyncio.Task[None]]()
    decoder = msgspec.json.Decoder(RunRequest)

    async def create_run(request: Request) -> Response:
        run = decoder.decode(await request.body())
        answer = msgspec.json.encode({"run_id": run.run_id, "state": "queued"})
        return Response(answer, 202, media_type="application/json")

    async def watch(_: Request) -> Response:
        return StreamingResponse(_stream(log), media_type="text/event-stream")

    async def begin(request: Request) -> Response:
        plan = msgspec.json.decode(await request.body(), type=FanOut)
        task = asyncio.create_task(_tell(log, plan))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return Response(status_code=202)

    return Starlette(
        routes=[
            Route("/v1/runs", create_run, methods=["POST"]),
            Route("/fan-out", watch),
            Route("/fan-out", begin, methods=["POST"]),
        ]
    )


async def _stream(log: _Log) -> AsyncIterator[bytes]:
    position = 0
    while True:
        more, ended = log.more, log.ended
        if position < len(log.frames):
            body, position = b"".join(log.frames[position:]), len(log.frames)
            yield body
        if ended:
            return
        await more.wait()


async def _tell(log: _Log, plan: FanOut) -> None:
    for number in range(plan.bursts):
        await asyncio.sleep(plan.pause_s)
        log.add(plan.events, last=number == plan.bursts - 1)


async def _serve() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(_BACKLOG)
    port = listener.getsockname()[1]
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = _BACKLOG
    config.accesslog = None
    config.errorlog = None
    config.keep_alive_max_requests = 1_000_000
    print(port, flush=True)
    await hypercorn.asyncio.serve(create_app(), config)  # type: ignore[arg-type]  # Hypercorn has types of its own


if __name__ == "__main__":
    asyncio.run(_serve())
