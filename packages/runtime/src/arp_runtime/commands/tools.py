"""`arp-runtime tools`: what tools there are, for whoever writes a tool_policy or wonders what an agent has."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import anyio
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from arp_model import UNSET
from arp_runtime.commands.tool_options import NO_TOOL_OPTIONS, ToolOptions
from arp_runtime.tools.loading import ToolsNotLoadableError, load_tools, open_tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from arp_runtime.tools.offered import OfferedTool


def tools_command(
    *,
    tool_options: ToolOptions = NO_TOOL_OPTIONS,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Show the tools that a runtime with these options would offer to its runs.

    Parameters
    ----------
    tool_options
        What tools runs may use.
    json_
        Print them as JSON, with their schemas.
    """
    try:
        offered = anyio.run(_list_tools, load_tools(tool_options.tools), tool_options.tool_registry_url)
    except ToolsNotLoadableError as error:
        sys.exit(f"arp-runtime: {error}")
    if json_:
        sys.stdout.write(json.dumps([_described(tool) for tool in offered], indent=2) + "\n")
    else:
        Console().print(_table(offered))


async def _list_tools(own: Mapping[str, OfferedTool], registry_url: str | None) -> list[OfferedTool]:
    async with open_tools(own, registry_url) as offered:
        return list(offered.values())


def _described(tool: OfferedTool) -> dict[str, Any]:
    return {**tool.definition.to_dict(), "origin": tool.origin, "timeout_s": tool.timeout_s}


def _table(tools: Iterable[OfferedTool]) -> Table:
    """Texts are of others, and no markup."""
    table = Table("tool", "arguments", "what it does", "from", box=None, pad_edge=False, header_style="bold")
    for tool in tools:
        definition = tool.definition
        description = "" if definition.description is UNSET else definition.description.partition("\n")[0]
        cells = (definition.tool_id, _arguments(definition.input_schema), description, tool.origin)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _arguments(schema: dict[str, Any]) -> str:
    """Their names; those that may be left out with a question mark."""
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return ", ".join(name if name in required else f"{name}?" for name in properties)
