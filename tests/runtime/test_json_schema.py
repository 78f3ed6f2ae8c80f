"""Schemas come from anywhere: none may fetch anything, and none may break the runtime."""

from __future__ import annotations

from typing import Any

import pytest

from arp_runtime.tools.json_schema import InvalidSchemaError, JsonSchema
from support.listening import listening


def _deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"properties": 3}, {"pattern": "("}])
def test_what_is_no_schema_is_refused(schema: dict[str, Any]) -> None:
    """When it is read, and not when the first value comes."""
    with pytest.raises(InvalidSchemaError):
        JsonSchema(schema)


def test_a_problem_begins_with_its_place() -> None:
    """And does not quote the whole of a long value."""
    schema = JsonSchema({"type": "object", "properties": {"a": {"items": {"type": "string", "maxLength": 2}}}})
    assert schema.find_problem({"a": ["x"]}) is None
    problem = schema.find_problem({"a": ["x", "y" * 100_000]})
    assert problem is not None
    assert problem.startswith("$.a[1]: ")
    assert len(problem) < 400


def test_a_reference_to_elsewhere_is_never_followed() -> None:
    """A schema of a stranger makes this machine call nobody."""
    with listening() as (url, callers):
        problem = JsonSchema({"$ref": f"{url}/schema.json"}).find_problem({})
        assert problem is not None
        assert "cannot be followed" in problem
        assert not callers()


def test_a_schema_that_never_ends_is_a_problem_and_no_crash() -> None:
    """So is a value that is nested deeper than Python goes."""
    endless = JsonSchema({"$ref": "#"})
    assert endless.find_problem({}) is not None
    nested = JsonSchema({"items": {"$ref": "#"}})
    assert nested.find_problem(_deep(10_000)) == "$: it is nested too deep"
