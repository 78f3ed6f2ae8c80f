"""Python functions as tools: `@tool` reads a function's signature and docstring.

    @tool
    async def weather(city: str, days: int = 1) -> dict[str, Any]:
        \"\"\"Tells what the weather will be.

        Args:
            city: The city's name, in any language.
            days: How many days ahead.
        \"\"\"

Types are what msgspec can read: JSON's own, dataclasses, TypedDicts, enums, `Literal`, datetimes, Structs, and
`Annotated[..., msgspec.Meta(ge=0)]` for bounds. The function is given values of these types. Without `async` it runs
in a thread, and may block.
"""

from __future__ import annotations

import inspect
import typing
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, overload

import anyio
import docstring_parser
import msgspec

from arp_model import UNSET, ToolDefinition, ToolSource
from arp_runtime.daemon_thread import call_in_daemon_thread
from arp_runtime.errors import InvalidToolArgumentsError
from arp_service.errors import InvalidRequestError
from arp_service.ids import check_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arp_model import UnsetType
    from arp_runtime.tools.box import CallOrigin

DEFAULT_TIMEOUT_S = 60.0
# Calls of one blocking tool that are under way, those that hang included; further ones wait for them.
_MAX_THREADS = 64
# `*args`, `**kwargs` and parameters without a name for callers: JSON has members with names, and nothing else.
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class FunctionTool:
    """A function as a `Tool`. Made by `tool`; called itself, it is still the function."""

    def __init__(self, function: Callable[..., Any], tool_id: str, description: str, timeout_s: float) -> None:
        self.function = function
        self.timeout_s = timeout_s
        self._threads = None if inspect.iscoroutinefunction(function) else anyio.CapacityLimiter(_MAX_THREADS)
        documented = docstring_parser.parse(inspect.getdoc(function) or "")
        types = _types_of(function)
        self._arguments = _arguments_of(function, types, documented)
        self.definition = ToolDefinition(
            tool_id=tool_id,
            name=tool_id,
            description=description or documented.description or UNSET,
            input_schema=_schema_of(self._arguments),
            output_schema=_output_schema(types.get("return", Any)),
            source=ToolSource.REGISTRY_LOCAL,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as if it were no tool."""
        return self.function(*args, **kwargs)

    async def call(self, args: Mapping[str, Any], origin: CallOrigin) -> Any:
        """See `Tool.call`."""
        try:
            checked = msgspec.convert(args, self._arguments)
        except msgspec.ValidationError as exc:
            raise InvalidToolArgumentsError(self.definition.tool_id, str(exc)) from exc
        call = partial(self.function, **{name: getattr(checked, name) for name in self._arguments.__struct_fields__})
        if self._threads is None:
            return await call()
        return await call_in_daemon_thread(call, f"tool {self.definition.tool_id}", self._threads)


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    *, tool_id: str = "", description: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    tool_id: str = "",
    description: str = "",
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a function a tool, as `@tool` or `@tool(timeout_s=5)`.

    Without a `tool_id` it has the function's name, without a `description` what its docstring says. A call that takes
    longer than `timeout_s` seconds fails; a plain function's thread is left behind then.

    Raises:
        TypeError: a parameter has no type, or one that JSON has no schema for.
        ValueError: the `tool_id` is no id, or the timeout is not positive.
    """
    if function is None:
        return partial(_make_tool, tool_id=tool_id, description=description, timeout_s=timeout_s)
    return _make_tool(function, tool_id=tool_id, description=description, timeout_s=timeout_s)


def _make_tool(function: Callable[..., Any], *, tool_id: str, description: str, timeout_s: float) -> FunctionTool:
    tool_id = tool_id or function.__name__
    try:
        check_id(tool_id, "tool_id")
    except InvalidRequestError as exc:
        raise ValueError(exc.message) from exc
    if not timeout_s > 0:
        raise ValueError(f"The tool {tool_id!r} needs a timeout_s over 0.")
    try:
        return FunctionTool(function, tool_id, description, timeout_s)
    except TypeError as exc:
        raise TypeError(f"The tool {tool_id!r}: {exc}") from exc


def _types_of(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as exc:
        raise TypeError(f"{exc}; import its types outside of TYPE_CHECKING") from exc


def _arguments_of(
    function: Callable[..., Any], types: Mapping[str, Any], documented: docstring_parser.Docstring
) -> type[msgspec.Struct]:
    """A Struct with the function's parameters as its fields."""
    told = {param.arg_name: param.description for param in documented.params if param.description}
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in types or parameter.kind not in _NAMED:
            raise TypeError(f"the parameter {parameter} needs a name and a type")
        type_ = Annotated[types[name], msgspec.Meta(description=told[name])] if name in told else types[name]
        fields.append((name, type_, *_default_of(parameter.default)))
    return msgspec.defstruct(function.__name__, fields, forbid_unknown_fields=True, kw_only=True)


def _default_of(default: Any) -> tuple[Any, ...]:
    """A default that is plain is shown in the schema; any other is what it is to Python: one object."""
    if default is inspect.Parameter.empty:
        return ()
    plain = default is None or isinstance(default, (bool, int, float, str))
    return (default if plain else msgspec.field(default_factory=lambda: default),)


def _output_schema(type_: Any) -> dict[str, Any] | UnsetType:
    return UNSET if type_ is Any else _schema_of(type_)


def _schema_of(type_: Any) -> dict[str, Any]:
    """A JSON Schema that begins with the type itself, so that readers need not follow a reference."""
    schema = msgspec.json.schema(type_)
    components: dict[str, Any] = schema.get("$defs", {})
    own = schema.get("$ref", "").rpartition("/")[2]
    if own not in components:
        return schema
    others = {name: part for name, part in components.items() if name != own}
    top: dict[str, Any] = components[own]
    top.pop("title", None)
    refers_to_itself = f"#/$defs/{own}" in str(components)
    return {**top, "$defs": components} if refers_to_itself else {**top, **({"$defs": others} if others else {})}
