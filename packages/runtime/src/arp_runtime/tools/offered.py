"""Tools as a runtime offers them: one list, whatever made them, each call checked and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from arp_model import UNSET
from arp_runtime.errors import InvalidToolArgumentsError, InvalidToolResultError, ToolTimeoutError
from arp_runtime.tools.functions import FunctionTool
from arp_runtime.tools.json_schema import JsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from arp_model import ToolDefinition
    from arp_runtime.tools.box import CallOrigin, Tool

# A result is an event of the run, which is kept and sent to every watcher.
_MAX_RESULT_BYTES = 1024 * 1024


class OfferedTool:
    """A tool whose arguments and result are held against its schemas, and whose time is bounded."""

    __slots__ = ("_input", "_output", "definition", "origin", "tool")

    def __init__(self, tool: Tool, origin: str) -> None:
        """`origin` is where it comes from, for people. Raises InvalidSchemaError."""
        self.tool = tool
        self.origin = origin
        self.definition: ToolDefinition = tool.definition
        output = self.definition.output_schema
        # A function's arguments are made values of its types, which its schema was made of: they are checked by that.
        self._input = None if isinstance(tool, FunctionTool) else JsonSchema(self.definition.input_schema)
        self._output = None if output is UNSET else JsonSchema(output)

    @property
    def timeout_s(self) -> float:
        """How long a call may take."""
        return self.tool.timeout_s

    async def call(self, args: Mapping[str, Any], origin: CallOrigin) -> Any:
        """Call the tool; the result is plain JSON. Raises what `ToolBox.call` says of arguments, time and result."""
        tool_id = self.definition.tool_id
        if self._input is not None and (problem := self._input.find_problem(args)):
            raise InvalidToolArgumentsError(tool_id, problem)
        with anyio.move_on_after(self.tool.timeout_s) as scope:
            result = await self.tool.call(args, origin)
        if scope.cancelled_caught:
            raise ToolTimeoutError(tool_id, self.tool.timeout_s)
        return self._checked_result(result)

    def _checked_result(self, result: Any) -> Any:
        tool_id = self.definition.tool_id
        try:
            encoded = msgspec.json.encode(result)
            plain = msgspec.json.decode(encoded)
        except (TypeError, ValueError, RecursionError) as exc:
            raise InvalidToolResultError(tool_id, f"no JSON: {exc}") from exc
        if len(encoded) > _MAX_RESULT_BYTES:
            raise InvalidToolResultError(tool_id, f"{len(encoded)} bytes, over the limit of {_MAX_RESULT_BYTES}")
        if self._output is not None and (problem := self._output.find_problem(plain)):
            raise InvalidToolResultError(tool_id, f"not what it promises: {problem}")
        return plain


def offer(tools: Iterable[Tool], origin: str) -> dict[str, OfferedTool]:
    """The tools by their ids."""
    return {tool.definition.tool_id: OfferedTool(tool, origin) for tool in tools}
