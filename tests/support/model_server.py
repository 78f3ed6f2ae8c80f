"""A small chat-completions server for tests: real HTTP, streaming, each request answered as the test's script says."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from starlette.requests import Request

KEY = "sk-test-0123456789"


@dataclass
class FakeModel:
    """`script` has an answer for each request; the last one is given again and again."""

    script: list[Callable[[FakeModel], Response]]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)
    left: anyio.Event = field(default_factory=anyio.Event)
    """Set when a client has gone in the middle of an endless answer."""
    released: anyio.Event = field(default_factory=anyio.Event)

    async def chat_completions(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        self.requests.append(await request.json())
        self.authorization.append(request.headers.get("authorization"))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return answer(self)

    @property
    def told(self) -> list[dict[str, Any]]:
        """The messages of the latest request."""
        messages: list[dict[str, Any]] = self.requests[-1]["messages"]
        return messages


@asynccontextmanager
async def running_model(*script: Callable[[FakeModel], Response]) -> AsyncIterator[FakeModel]:
    """Serve it, for the block; its base URL is `url`."""
    model = FakeModel(list(script))
    routes = [Route("/v1/chat/completions", model.chat_completions, methods=["POST"])]
    async with served(Starlette(routes=routes)) as client:
        model.url = f"{client.base_url}/v1".replace("//v1", "/v1")
        try:
            yield model
        finally:
            model.released.set()


def chunk(delta: dict[str, Any] | None = None, finish_reason: str | None = None, **fields: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish_reason}
    data = {"object": "chat.completion.chunk", "choices": [choice], **fields}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def ending(reason: str = "stop", prompt: int = 10, completion: int = 3) -> list[bytes]:
    """How a stream ends: the reason, the usage, and the last word."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return [chunk(finish_reason=reason), chunk(choices=[], usage=usage), b"data: [DONE]\n\n"]


def streams(*pieces: bytes) -> Callable[[FakeModel], Response]:
    """An answer of these bytes."""
    return lambda _: _stream(pieces)


def says(*words: str, reason: str = "stop", prompt: int = 10) -> Callable[[FakeModel], Response]:
    """An answer of these tokens."""
    said = [chunk({"content": word}) for word in words]
    return streams(chunk({"role": "assistant", "content": None}), *said, *ending(reason, prompt, len(words)))


def wants(*calls: tuple[str, str]) -> Callable[[FakeModel], Response]:
    """A turn that asks for tools, by name and arguments; each call comes in pieces of a few characters."""
    pieces = []
    for index, (name, arguments) in enumerate(calls):
        head = {"index": index, "id": f"id_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        pieces.append(chunk({"tool_calls": [head]}))
        for start in range(0, len(arguments), 5):
            piece = {"index": index, "function": {"arguments": arguments[start : start + 5]}}
            pieces.append(chunk({"tool_calls": [piece]}))
    return streams(*pieces, *ending("tool_calls"))


def fails(status: int, message: str = "No.", **headers: str) -> Callable[[FakeModel], Response]:
    """An answer that is an error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: JSONResponse({"error": {"message": message}}, status_code=status, headers=named)


def answers(content: str, media_type: str) -> Callable[[FakeModel], Response]:
    """An answer that is no stream."""
    return lambda _: Response(content, media_type=media_type)


def breaks_off(*pieces: bytes) -> Callable[[FakeModel], Response]:
    """A connection that is closed in the middle of the answer."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        raise ConnectionError("on purpose")

    return lambda _: StreamingResponse(body(), media_type="text/event-stream")


def never_ends(model: FakeModel) -> Response:
    """A token after the other, until the client goes."""

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield chunk({"content": "again "})
                await anyio.lowlevel.checkpoint()
        finally:
            model.left.set()

    return StreamingResponse(body(), media_type="text/event-stream")


def stays_open(model: FakeModel) -> Response:
    """A whole answer whose end never comes."""

    async def body() -> AsyncIterator[bytes]:
        for piece in (chunk({"content": "done"}), *ending()):
            yield piece
        await model.released.wait()

    return StreamingResponse(body(), media_type="text/event-stream")


def is_silent(model: FakeModel) -> Response:
    """A stream in which nothing comes."""

    async def body() -> AsyncIterator[bytes]:
        yield b": wait\n\n"
        await model.released.wait()

    return StreamingResponse(body(), media_type="text/event-stream")


def _stream(pieces: Iterable[bytes]) -> Response:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return StreamingResponse(body(), media_type="text/event-stream")
