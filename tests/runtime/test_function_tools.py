"""`@tool` makes a tool of a function: its signature and docstring become schemas, and it gets values of its types."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
import pytest

from arp_model import UNSET
from arp_runtime.errors import InvalidToolArgumentsError
from arp_runtime.tools.box import CallOrigin
from arp_runtime.tools.functions import FunctionTool, tool
from arp_runtime.tools.offered import OfferedTool


class Unit(enum.Enum):
    """Of a temperature."""

    CELSIUS = "C"
    KELVIN = "K"


@dataclass
class Place:
    """Where."""

    city: str
    country: str = "DE"


@dataclass
class Node:
    """Holds others like it."""

    children: list[Node]


@tool
async def weather(
    place: Place, day: date, unit: Unit = Unit.CELSIUS, days: Annotated[int, msgspec.Meta(ge=1, le=7)] = 1
) -> dict[str, Any]:
    """Tells what the weather will be.

    It guesses.

    Args:
        place: Where to look.
        days: How many days ahead.
    """
    return {"city": place.city, "weekday": day.weekday(), "unit": unit, "days": days}


async def _call(function_tool: FunctionTool, args: dict[str, Any]) -> Any:
    return await OfferedTool(function_tool, "test").call(args, CallOrigin("run", "call_1"))


def test_signature_and_docstring_become_the_definition() -> None:
    """What a model reads is what a person wrote, with types, bounds and defaults."""
    definition = weather.definition
    assert (definition.tool_id, definition.name) == ("weather", "weather")
    assert definition.description == "Tells what the weather will be.\n\nIt guesses."
    schema = definition.input_schema
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert schema["required"] == ["place", "day"]
    properties = schema["properties"]
    assert properties["place"]["description"] == "Where to look."
    assert properties["days"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 7,
        "default": 1,
        "description": "How many days ahead.",
    }
    assert properties["day"]["format"] == "date"
    assert schema["$defs"]["Place"]["required"] == ["city"]
    assert definition.output_schema == {"type": "object"}


async def test_the_function_gets_values_of_its_types() -> None:
    """Dataclasses, dates and enums, and its own defaults; what it returns is JSON again."""
    result = await _call(weather, {"place": {"city": "Kiel"}, "day": "2026-11-25"})
    assert result == {"city": "Kiel", "weekday": 2, "unit": "C", "days": 1}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"days": 8}, r"\$\.days"),
        ({"place": {"town": "Kiel"}}, r"\$\.place"),
        ({"unit": "F"}, r"\$\.unit"),
        ({"day": "yesterday"}, r"\$\.day"),
        ({"wind": True}, "wind"),
        ({"days": "2"}, r"\$\.days"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_with_their_place(change: dict[str, Any], place: str) -> None:
    """Before the function is called."""
    with pytest.raises(InvalidToolArgumentsError, match=place):
        await _call(weather, {"place": {"city": "Kiel"}, "day": "2026-11-25", **change})


async def test_a_plain_function_runs_in_a_thread() -> None:
    """It may block without holding up other runs."""

    @tool
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await _call(where, {}) is False


def test_a_tool_is_still_a_function() -> None:
    """Its author can test it without a runtime."""

    @tool(tool_id="my.double", description="Twice.", timeout_s=1.5)
    def double(number: int) -> int:
        return 2 * number

    assert double(21) == 42
    assert (double.definition.tool_id, double.definition.description, double.timeout_s) == ("my.double", "Twice.", 1.5)


def test_without_a_return_type_nothing_is_promised() -> None:
    """Nor without words a description."""

    @tool
    def untold(x: Literal["a", "b"]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - that is the point
        return x

    assert untold.definition.output_schema is UNSET
    assert untold.definition.description is UNSET


async def test_a_type_that_holds_itself_has_a_schema() -> None:
    """With a reference that stays inside it."""

    @tool
    def count(tree: Node) -> Node:
        return tree

    assert await _call(count, {"tree": {"children": [{"children": []}]}}) == {"children": [{"children": []}]}
    with pytest.raises(InvalidToolArgumentsError):
        await _call(count, {"tree": {"children": [{"children": 3}]}})


async def test_a_default_that_is_an_object_is_the_functions_own() -> None:
    """As Python has it."""
    fallback = Place("Bonn")

    @tool
    def is_fallback(place: Place = fallback) -> bool:
        return place is fallback

    assert await _call(is_fallback, {}) is True


def untyped(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - that is the point
    return x


def many(*args: int) -> None:
    return None


def strange(x: threading.Thread) -> None:
    return None


def unknown(x: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821 - that is the point
    return None


@pytest.mark.parametrize("function", [untyped, many, strange, unknown])
def test_a_function_that_has_no_schema_is_refused_where_it_is_written(function: Any) -> None:
    """With its name."""
    with pytest.raises(TypeError, match=f"The tool '{function.__name__}': "):
        tool(function)


@pytest.mark.parametrize("options", [{"tool_id": "no id"}, {"tool_id": "a/b"}, {"timeout_s": 0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """An id must be able to stand in a policy."""
    with pytest.raises(ValueError, match=r"tool_id|timeout_s"):
        tool(**options)(lambda: None)
