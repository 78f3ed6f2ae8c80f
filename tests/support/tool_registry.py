"""A small tool registry for tests: real HTTP on a loopback port, in the test's own event loop."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from contracts.spec import validator
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

_CALL = "tool_registry/tools/tool_invocation_request.schema.json"
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

    async def get_tool(self, request: Request) -> Response:
        """`GET /v1/tools/{tool_id}`."""
        found = [tool for tool in self.tools if tool["tool_id"] == request.path_params["tool_id"]]
        return JSONResponse(found[0]) if found else _refusal(404, "tool_not_found")

    async def invoke_tool(self, request: Request) -> Response:
        """`POST /v1/tool-invocations`."""
        call = await _read_call(request)
        if call is None:
            return _refusal(400, "invalid_request")
        self.calls.append(call)
        return await self._call_tool(call)

    async def _call_tool(self, call: dict[str, Any]) -> Response:
        answer: dict[str, Any] = {"invocation_id": call["invocation_id"], "ok": True}
        match call.get("tool_id", call.get("tool_name")):
            case "upper":
                answer |= _upper(call["args"])
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
            case tool:
                answer |= {"ok": False, "error": {"code": "tool_not_found", "message": f"There is no {tool}."}}
        return JSONResponse(answer)


def _upper(args: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(args.get("text"), str):
        return {"ok": False, "error": {"code": "invalid_arguments", "message": "There is no text."}}
    return {"result": {"text": args["text"].upper()}}


async def _read_call(request: Request) -> Any:
    """The ToolInvocationRequest; None where it is none."""
    try:
        call = await request.json()
    except ValueError:
        return None
    return call if validator(_CALL).is_valid(call) else None


def _refusal(status: int, code: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": "No."}}, status_code=status)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "time": datetime.now(UTC).isoformat()})


async def _version(_: Request) -> Response:
    version = {"service_name": "fake-registry", "service_version": "1.0", "supported_api_versions": ["v1"]}
    return JSONResponse(version)


@asynccontextmanager
async def running_registry(registry: FakeRegistry | None = None) -> AsyncIterator[FakeRegistry]:
    """Serve it, for the block."""
    registry = registry or FakeRegistry()
    routes = [
        Route("/v1/health", _health),
        Route("/v1/version", _version),
        Route("/v1/tools", registry.list_tools),
        Route("/v1/tools/{tool_id}", registry.get_tool),
        Route("/v1/tool-invocations", registry.invoke_tool, methods=["POST"]),
    ]
    async with served(Starlette(routes=routes)) as client:
        registry.url = str(client.base_url)
        try:
            yield registry
        finally:
            registry.released.set()
