"""The tools of an ARP v1 tool registry, called where they are."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import structlog

from arp_model import UNSET
from arp_runtime.errors import InvalidToolResultError, ToolError, ToolTimeoutError
from arp_runtime.outbound import NotCallableError, open_client
from arp_runtime.tools.json_schema import InvalidSchemaError
from arp_runtime.tools.offered import OfferedTool
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpResponseError, ArpTimeoutError
from arp_sdk.tool_registry import AsyncToolRegistryClient, InvokeToolRequest
from arp_service.ids import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from arp_model import ToolDefinition, ToolInvocationResult
    from arp_runtime.tools.box import CallOrigin

# How long a call may take; a registry does not say what its tools need.
CALL_TIMEOUT_S = 60.0
# A registry that starts together with the runtime is waited for.
_PATIENCE_S = 10.0
_TRY_AGAIN_S = 0.5
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_MAX_TOOLS = 1000

_log = structlog.get_logger(__name__)


class RegistryUnavailableError(Exception):
    """The tool registry's tools cannot be had; the message says why."""


class RegistryTool:
    """A tool of a registry as a `Tool`."""

    timeout_s = CALL_TIMEOUT_S

    def __init__(self, definition: ToolDefinition, client: AsyncToolRegistryClient) -> None:
        self.definition = definition
        self._client = client

    async def call(self, args: Mapping[str, Any], origin: CallOrigin) -> Any:
        """See `Tool.call`. A call is sent once: nobody knows whether it may be made again."""
        tool_id = self.definition.tool_id
        invocation_id = new_id("inv")
        context = {"run_id": origin.run_id, "call_id": origin.call_id}
        request = InvokeToolRequest(invocation_id, dict(args), tool_id=tool_id, context=context)
        try:
            answer = await self._client.invoke_tool(request)
        except ArpTimeoutError as exc:
            raise ToolTimeoutError(tool_id, self.timeout_s) from exc
        except ArpResponseError as exc:
            raise InvalidToolResultError(tool_id, f"no answer of a tool registry: {exc.message}") from exc
        except ArpApiError as exc:
            raise ToolError(f"{tool_id}: the tool registry says {exc.code}: {exc.message}") from exc
        return _result_of(tool_id, invocation_id, answer)


@asynccontextmanager
async def open_registry(url: str, token: str | None = None) -> AsyncIterator[dict[str, OfferedTool]]:
    """The registry's tools by their ids, as they are now; they can be called until the end of the block.

    Raises:
        RegistryUnavailableError: the address may not be called, or there is no tool registry.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        # The tool's own timeout comes first.
        client = open_client(url, headers=headers, silence_s=CALL_TIMEOUT_S + 1, max_answer_bytes=_MAX_ANSWER_BYTES)
    except NotCallableError as exc:
        raise RegistryUnavailableError(str(exc)) from exc
    async with client:
        registry = AsyncToolRegistryClient(client=client, retries=0)
        yield _offered(await _list_tools(registry, url), registry, url)


async def _list_tools(registry: AsyncToolRegistryClient, url: str) -> list[ToolDefinition]:
    deadline = anyio.current_time() + _PATIENCE_S
    while True:
        try:
            with anyio.fail_after(_PATIENCE_S):
                tools = await registry.list_tools()
            break
        except (ArpConnectionError, TimeoutError) as exc:
            if anyio.current_time() >= deadline:
                raise RegistryUnavailableError(f"{url}: nobody answers ({exc})") from exc
            _log.info("waiting_for_tool_registry", url=url)
        except ArpApiError as exc:
            raise RegistryUnavailableError(f"{url}: {exc}") from exc
        await anyio.sleep(_TRY_AGAIN_S)
    if len(tools) > _MAX_TOOLS:
        raise RegistryUnavailableError(f"{url}: it has {len(tools)} tools; {_MAX_TOOLS} can be used")
    return tools


def _offered(definitions: list[ToolDefinition], registry: AsyncToolRegistryClient, url: str) -> dict[str, OfferedTool]:
    """What can be used of them. One that cannot is left out, and does not keep the others from being used."""
    offered: dict[str, OfferedTool] = {}
    for definition in definitions:
        tool_id = definition.tool_id
        try:
            tool = OfferedTool(RegistryTool(definition, registry), url)
        except InvalidSchemaError as exc:
            _log.warning("tool_left_out", tool_id=tool_id, registry=url, reason=f"its schema: {exc}")
            continue
        if offered.setdefault(tool_id, tool) is not tool:
            _log.warning("tool_left_out", tool_id=tool_id, registry=url, reason="another one has this id")
    return offered


def _result_of(tool_id: str, invocation_id: str, answer: ToolInvocationResult) -> Any:
    if answer.invocation_id != invocation_id:
        raise InvalidToolResultError(tool_id, "the answer to another call")
    if not answer.ok:
        error = answer.error
        raise ToolError(f"{tool_id}: {'no reason given' if error is UNSET else f'{error.code}: {error.message}'}")
    return None if answer.result is UNSET else answer.result
