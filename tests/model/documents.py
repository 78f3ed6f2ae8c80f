"""Documents that a schema allows, as Hypothesis makes them up. Knows the keywords that our schemas have, and no others.

(hypothesis-jsonschema reaches into Hypothesis, and works only with the releases that it was made for.)
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from contracts.spec import SCHEMAS, SPEC
from contracts.vectors import strict_schema

# 1.0 is an integer to JSON Schema alone (`model.differences`).
_NUMBERS = st.integers() | st.floats(-1e15, 1e15).filter(lambda number: not number.is_integer())
_SCALARS = st.none() | st.booleans() | _NUMBERS | st.text(max_size=8)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_ANY_OBJECT = st.dictionaries(st.text(max_size=8), ANY_JSON, max_size=3)
_ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_FORMATS = {
    # Spelled as the types spell it; other spellings do not come back as they were.
    "date-time": st.datetimes(timezones=_ZONES).map(msgspec.to_builtins),
    "uri": st.from_regex(r"(http|unix|urn):[a-z0-9/._~-]{1,20}", fullmatch=True),
}


@cache
def documents(name: str) -> st.SearchStrategy[Any]:
    """Documents that the schema of this name allows."""
    return _allowed(strict_schema(name), name)


def _allowed(node: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        target = (SCHEMAS[name].parent / node["$ref"]).resolve()
        return documents(target.relative_to(SPEC / "schemas").as_posix())
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if "format" in node:
        return _FORMATS[node["format"]]
    match node["type"]:
        case "string":
            return st.text(max_size=20)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(node.get("minimum"), node.get("maximum"))
        case "array":
            items, least = _allowed(node["items"], name), node.get("minItems", 0)
            return st.lists(items, min_size=least, max_size=least + 2)
        case _:
            return _objects(node, name)


def _objects(node: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    if "patternProperties" in node:
        [pattern] = node["patternProperties"]
        return st.dictionaries(st.from_regex(re.compile(pattern, re.ASCII)), ANY_JSON, max_size=3)
    if "properties" not in node:
        others = node["additionalProperties"]
        if others is True:
            return _ANY_OBJECT
        return st.dictionaries(st.text(max_size=8), _allowed(others, name), max_size=3)
    properties = {key: _allowed(value, name) for key, value in node["properties"].items()}
    alternatives = [branch["required"] for branch in node.get("anyOf", node.get("oneOf", []))] or [[]]
    return st.one_of([_with(properties, node, given) for given in alternatives])


def _with(properties: dict[str, Any], node: dict[str, Any], given: list[str]) -> st.SearchStrategy[Any]:
    """Objects that have one of the alternatives, and what is required beside it."""
    others = {key for branch in node.get("oneOf", []) for key in branch["required"]} - set(given)
    required = {*node.get("required", []), *given}
    optional = {key: value for key, value in properties.items() if key not in required | others}
    return st.fixed_dictionaries({key: properties[key] for key in sorted(required)}, optional=optional)
