"""Gathering the tools of a runtime: built in, installed, named with `--tools`, and of a tool registry."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, TypeGuard

from arp_model import ToolDefinition
from arp_runtime.entry_points import find_entry_points
from arp_runtime.modules import ModuleNotLoadableError, import_named
from arp_runtime.tools.builtin import BUILTIN_TOOLS
from arp_runtime.tools.json_schema import InvalidSchemaError
from arp_runtime.tools.offered import OfferedTool, offer
from arp_runtime.tools.registry import RegistryUnavailableError, open_registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

    from arp_runtime.tools.box import Tool

ENTRY_POINT_GROUP = "arp_runtime.tools"
BUILT_IN = "built in"
REGISTRY_URL_VARIABLE = "ARP_TOOL_REGISTRY_URL"
REGISTRY_TOKEN_VARIABLE = "ARP_TOOL_REGISTRY_TOKEN"  # noqa: S105 - the name of it


class ToolsNotLoadableError(Exception):
    """Tools cannot be had; the message names where, and says what to do."""


@asynccontextmanager
async def open_tools(
    own: Mapping[str, OfferedTool], registry_url: str | None
) -> AsyncIterator[Mapping[str, OfferedTool]]:
    """All tools of a runtime by their ids: its own (`load_tools`), the registry's, and the built-in ones.

    Where two have the same id, the earlier of these counts.

    Raises:
        ToolsNotLoadableError: the registry cannot be asked.
    """
    builtin = builtin_tools()
    if registry_url is None:
        yield {**builtin, **own}
        return
    async with AsyncExitStack() as stack:
        try:
            registry = open_registry(registry_url, os.environ.get(REGISTRY_TOKEN_VARIABLE))
            others = await stack.enter_async_context(registry)
        except RegistryUnavailableError as exc:
            raise ToolsNotLoadableError(f"--tool-registry-url: {exc}") from exc
        yield {**builtin, **others, **own}


@cache
def builtin_tools() -> Mapping[str, OfferedTool]:
    """The tools that come with the runtime, by their ids."""
    return MappingProxyType(offer(BUILTIN_TOOLS, BUILT_IN))


def load_tools(names: Sequence[str]) -> dict[str, OfferedTool]:
    """Return a runtime's own tools by their ids: those named, and those of installed packages.

    Raises:
        ToolsNotLoadableError: a module cannot be imported or has no tools, or two tools have the same id.
    """
    own: dict[str, OfferedTool] = {}
    for tool in [*_named(names), *_installed()]:
        known = own.setdefault(tool.definition.tool_id, tool)
        if known.tool is not tool.tool:
            raise ToolsNotLoadableError(
                f"Two tools have the id {tool.definition.tool_id!r}: of {known.origin}, and of {tool.origin}. "
                "Give one another: @tool(tool_id=...)."
            )
    return own


def _named(names: Iterable[str]) -> Iterator[OfferedTool]:
    for name in names:
        origin = f"--tools {name}"
        try:
            found = import_named(name)
        except ModuleNotLoadableError as exc:
            raise ToolsNotLoadableError(f"{origin}: {exc}") from exc
        yield from _offered(found, origin)


def _installed() -> Iterator[OfferedTool]:
    for entry_point in sorted(find_entry_points(ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value)):
        owner = "" if entry_point.dist is None else f" of {entry_point.dist.name}"
        origin = f"entry point {entry_point.name}{owner}"
        try:
            found = entry_point.load()
        except Exception as exc:
            raise ToolsNotLoadableError(f"{origin}: {type(exc).__name__}: {exc}") from exc
        yield from _offered(found, origin)


def _offered(found: object, origin: str) -> Iterator[OfferedTool]:
    tools = list(_tools_in(found))
    if not tools:
        raise ToolsNotLoadableError(f"{origin}: there are no tools; put @tool before a function.")
    for tool in tools:
        try:
            yield OfferedTool(tool, origin)
        except InvalidSchemaError as exc:
            raise ToolsNotLoadableError(f"{origin}: the schema of {tool.definition.tool_id!r}: {exc}") from exc


def _tools_in(found: object) -> Iterator[Tool]:
    """A tool, a sequence of tools, or those of a module: what its `__all__` has, else its public names."""
    if isinstance(found, ModuleType):
        public = getattr(found, "__all__", [name for name in vars(found) if not name.startswith("_")])
        found = [getattr(found, name, None) for name in public]
    several = found if isinstance(found, (list, tuple)) else [found]
    yield from {id(tool): tool for tool in several if _is_tool(tool)}.values()


def _is_tool(found: object) -> TypeGuard[Tool]:
    return isinstance(getattr(found, "definition", None), ToolDefinition) and callable(getattr(found, "call", None))
