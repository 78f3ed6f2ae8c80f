"""The golden vectors are what they claim to be, and leave nothing out. What is to be there follows from the schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from contracts.spec import SCHEMAS, schema
from contracts.vectors import VECTORS, invalid, strict_validator, valid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import ValidationError

    Place = tuple[str | int, ...]
    # What a keyword bounds, and the value that lies on the bound.
    Bound = tuple[Place, Any]

# Keywords that forbid nothing by themselves. What `patternProperties` leaves out, `additionalProperties` forbids.
_FORBID_NOTHING = {
    *("$id", "$schema", "title", "description", "examples", "default", "x-arp-addition"),
    *("properties", "patternProperties", "items"),
}


def inner(node: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The schemas that stand in a schema itself, and where; those of other files are not followed."""
    for name, value in node.get("properties", {}).items():
        yield ("properties", name), value
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield (keyword,), node[keyword]


def constraints(node: dict[str, Any], place: Place = ()) -> Iterator[Place]:
    """Everything in a schema that may forbid a document. Each required property is one of its own."""
    for keyword, value in node.items():
        if keyword == "required":
            yield from ((*place, keyword, name) for name in value)
        elif keyword not in _FORBID_NOTHING and not (keyword == "additionalProperties" and value is not False):
            yield (*place, keyword)
    for way, value in inner(node):
        yield from constraints(value, (*place, *way))


def broken(error: ValidationError) -> Iterator[Place]:
    """The constraints that an error is about: the keyword, and wherever a reference may have been on the way to it.

    jsonschema leaves `$ref` out of an error's path.
    """
    place: Place = tuple(error.absolute_schema_path)
    yield from ((*place[:length], "$ref") for length in range(len(place)))
    if error.validator == "required":
        required = cast("list[str]", error.validator_value)
        yield from ((*place, name) for name in required if name not in cast("dict[str, Any]", error.instance))
    else:
        yield place


def met(node: dict[str, Any], document: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Each part of a document, and the place in the schema that speaks of it."""
    yield place, document
    for way, value in inner(node):
        if way[0] == "properties":
            parts = [document[way[1]]] if way[1] in document else []
        else:
            parts = document if way[0] == "items" else list(document.values())
        for part in parts:
            yield from met(value, part, (*place, *way))


def bounds(node: dict[str, Any], place: Place = ()) -> Iterator[Bound]:
    """What a schema allows to its very edge: words, least and greatest values and lengths, and what may be absent."""
    yield from ((place, word) for word in node.get("enum", []))
    yield from ((place, node[keyword]) for keyword in ("minimum", "maximum") if keyword in node)
    yield from (((*place, "length"), node[keyword]) for keyword in ("minItems", "maxItems") if keyword in node)
    if "default" in node:
        yield place, node["default"]
    for name in set(node.get("properties", {})) - set(node.get("required", [])):
        yield ((*place, "has", name), True)
        yield ((*place, "has", name), False)
    for way, value in inner(node):
        yield from bounds(value, (*place, *way))


def reached(node: dict[str, Any], document: Any) -> Iterator[Bound]:
    """The bounds that a document may reach, in the form of `bounds`."""
    for place, value in met(node, document):
        if isinstance(value, str | int):
            yield place, value
        elif isinstance(value, list):
            yield (*place, "length"), len(value)
        elif isinstance(value, dict):
            properties = dict(at(node, place).get("properties", {}))
            yield from (((*place, "has", name), name in value) for name in properties)


def at(node: dict[str, Any], place: Place) -> dict[str, Any]:
    """The schema at a place in a schema."""
    found: Any = node
    for step in place:
        found = found[step]
    return dict(found)


def test_every_schema_has_vectors_and_every_vector_a_schema() -> None:
    """A schema that is added brings its vectors, at its own place below spec/v1/vectors."""
    assert list(VECTORS) == list(SCHEMAS)


@pytest.mark.parametrize("name", VECTORS)
def test_a_valid_vector_is_valid(name: str) -> None:
    """JSON Schema allows it, formats included."""
    allowed = strict_validator(name)
    assert {vector.why: error.message for vector in valid(name) for error in allowed.iter_errors(vector.document)} == {}


@pytest.mark.parametrize("name", VECTORS)
def test_an_invalid_vector_is_wrong_where_and_as_it_says(name: str) -> None:
    """Its keyword refuses it, and whatever else does so refuses the same place."""
    for vector in invalid(name):
        errors = list(strict_validator(name).iter_errors(vector.document))
        assert {error.json_path for error in errors} == {vector.at}, vector
        assert vector.keyword in {error.validator for error in errors}, vector


@pytest.mark.parametrize("name", VECTORS)
def test_no_vector_says_what_another_says(name: str) -> None:
    """Each has a reason of its own, by which a failure finds it."""
    reasons = [vector.why for vector in [*valid(name), *invalid(name)]]
    assert sorted(reasons) == sorted(set(reasons))


@pytest.mark.parametrize("name", VECTORS)
def test_every_constraint_of_a_schema_refuses_a_vector(name: str) -> None:
    """Each keyword, each required property and each reference to another schema has a document that it forbids."""
    errors = [error for vector in invalid(name) for error in strict_validator(name).iter_errors(vector.document)]
    assert set(constraints(schema(name))) - {place for error in errors for place in broken(error)} == set()


@pytest.mark.parametrize("name", VECTORS)
def test_what_a_schema_allows_is_shown_to_the_edge(name: str) -> None:
    """Each word, each bound and each default is in a document; each optional property is in one, and absent in one."""
    shown = {repr(bound) for vector in valid(name) for bound in reached(schema(name), vector.document)}
    assert {repr(bound) for bound in bounds(schema(name))} - shown == set()
