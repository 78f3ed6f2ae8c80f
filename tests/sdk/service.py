"""A small HTTP service that answers what a test tells it to, on Hypercorn and a loopback port, in a thread."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio
import msgspec
from anyio.from_thread import start_blocking_portal
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

# How long the server may take to end, in seconds.
STOP_TIMEOUT = 10


@dataclass(frozen=True)
class Seen:
    """A request as it arrived; the path is as it was on the wire, still escaped."""

    method: str
    path: str
    query: dict[str, str]
    pairs: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Service:
    """The service: `answers` by method and path (a body of None: none), and what was `seen`."""

    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    media_type: str = "application/json"
    media_types: dict[tuple[str, str], str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, body: Any = None, status: int = 200) -> None:
        """Say what a request shall be answered with; bytes and text as they are, all else as JSON."""
        self.answers[method, path] = status, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        path = scope["raw_path"].decode()
        body = await request.body()
        query = request.query_params
        # What was sent twice is seen twice, with a comma between.
        headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
        seen = Seen(request.method, path, dict(query), query.multi_items(), headers, body)
        self.seen.append(seen)
        missing = 404, {"error": {"code": "route_not_found", "message": f"No answer for {path}."}}
        status, content = self.answers.get((request.method, path), missing)
        raw = content if isinstance(content, str | bytes) else b"" if content is None else msgspec.json.encode(content)
        media_type = self.media_types.get((request.method, path), self.media_type)
        await Response(raw, status, self.headers, media_type)(scope, receive, send)


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """Serve it until the block ends; its `url` is set."""
    config = Config()
    config.errorlog = None
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config.bind = [f"fd://{listener.fileno()}"]
        service.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with start_blocking_portal("asyncio") as portal:
            stop = portal.call(anyio.Event)

            async def serve_until_stopped() -> None:
                await serve(cast("Any", service), config, shutdown_trigger=stop.wait)

            served = portal.start_task_soon(serve_until_stopped)
            try:
                yield service
            finally:
                portal.call(stop.set)
                served.result(STOP_TIMEOUT)
        listener.detach()
