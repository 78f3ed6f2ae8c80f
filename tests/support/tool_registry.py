"""A small tool registry for tests: real HTTP on a loopback port, in the test's own event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_UPPER_INPUT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_UPPER_OUTPUT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def definition(tool_id: str, **fields: Any) -> dict[str, Any]:
    """A ToolDefinition."""
    return {"tool_id": tool_id, "name": tool_id, "input_schema": _ANY_OBJECT, "source": "registry_local", **fields}


@dataclass
class FakeRegistry:
    """What it offers, and what it was asked. Its tools behave as they are called."""

    url: str = ""
    tools: Any = field(
        default_factory=lambda: [
            definition("upper", input_schema=_UPPER_INPUT, output_schema=_UPPER_OUTPUT, description="Says it loud."),
            *(definition(name) for name in ("fails", "hangs", "lies", "confused", "broken", "moved", "huge", "packed")),
        ]
    )
    calls: list[dict[str, Any]] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)
    released: anyio.Event = field(default_factory=anyio.Event)

    async def list_tools(self, request: Request) -> Response:
        """`GET /v1/tools`."""
        self.authorization.append(request.headers.get("authorization"))
        return JSONResponse(self.tools)

    async def invoke_tool(self, request: Request) -> Response:
        """`POST /v1/tool-invocations`."""
        call = await request.json()
        self.calls.append(call)
        answer: dict[str, Any] = {"invocation_id": call["invocation_id"], "ok": True}
        match call["tool_id"]:
            case "upper":
                answer["result"] = {"text": call["args"]["text"].upper()}
            case "fails":
                answer |= {"ok": False, "error": {"code": "no_luck", "message": "Not today."}}
            case "hangs":
                await self.released.wait()
            case "lies":
                answer["invocation_id"] = "somebody-else's"
            case "confused":
                return Response("<html>", media_type="text/html")
            case "broken":
                body = {"error": {"code": "internal_error", "message": "It broke."}}
                return JSONResponse(body, status_code=500)
            case "moved":
                return RedirectResponse("http://169.254.169.254/latest/meta-data")
            case "huge":
                answer["result"] = {"text": "x" * (9 * 1024 * 1024)}
            case "packed":
                return Response(b"\x1f\x8b", media_type="application/json", headers={"Content-Encoding": "gzip"})
        return JSONResponse(answer)


@asynccontextmanager
async def running_registry(registry: FakeRegistry | None = None) -> AsyncIterator[FakeRegistry]:
    """Serve it, for the block."""
    registry = registry or FakeRegistry()
    routes = [
        Route("/v1/tools", registry.list_tools),
        Route("/v1/tool-invocations", registry.invoke_tool, methods=["POST"]),
    ]
    async with served(Starlette(routes=routes)) as client:
        registry.url = str(client.base_url)
        try:
            yield registry
        finally:
            registry.released.set()
