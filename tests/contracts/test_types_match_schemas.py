"""The generated types and the schemas agree on which documents are allowed.

Each example is changed in every place, in every way that a schema may forbid; jsonschema and arp_model must judge
each of these documents alike. Golden vectors, and documents made up at random, are in tests/model.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import arp_model
from arp_model import Model
from contracts.spec import EXAMPLES, example, resolved, schema_of_example, validator

if TYPE_CHECKING:
    from collections.abc import Iterator

# One value of each JSON type, and some at the edges of what schemas allow.
VALUES: list[Any] = [None, True, "", "text", "a.b", 0, 1, -1, 1001, 1.5, [], ["text"], [1], {}, {"a.b": "c"}, {"a": 1}]
# Times are not mixed in: jsonschema does not look at formats.
TIMES = {"time", "started_at", "ended_at", "built_at", "created_after", "created_before"}
MODEL_EXAMPLES = [name for name in EXAMPLES if resolved(schema_of_example(name)).get("properties")]


def model_of(name: str) -> type[Model]:
    """The type that an example is of."""
    model: type[Model] = getattr(arp_model, resolved(schema_of_example(name))["title"])
    return model


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in a document."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(document: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    """The document with the value at a path removed, replaced, or given a neighbour that is unknown."""
    if not path:
        yield from VALUES
        yield {**document, "unknown": 1}
        return
    *way, last = path
    for value in [*VALUES, ...]:
        other = copy.deepcopy(document)
        parent = other
        for step in way:
            parent = parent[step]
        if value is not ...:
            parent[last] = value
        else:
            del parent[last]
        yield other
    if isinstance(last, str):
        other = copy.deepcopy(document)
        parent = other
        for step in way:
            parent = parent[step]
        parent["unknown"] = parent.pop(last)
        yield other


def accepts(model: type[Model], document: Any) -> bool:
    """Whether the type takes a document, as plain values and as JSON alike."""
    try:
        model.from_dict(document)
    except msgspec.ValidationError:
        with pytest.raises(msgspec.ValidationError):
            model.from_json(msgspec.json.encode(document))
        return False
    model.from_json(msgspec.json.encode(document))
    return True


@pytest.mark.parametrize("name", MODEL_EXAMPLES)
def test_an_example_survives_every_form(name: str) -> None:
    """An example comes back from its type as it went in."""
    document, model = example(name), model_of(name)
    assert msgspec.json.decode(model.from_json(EXAMPLES[name].read_bytes()).to_json()) == document
    assert model.from_dict(document).to_dict() == document
    assert model.from_dict(document) == model.from_json(EXAMPLES[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODEL_EXAMPLES)
def test_type_and_schema_judge_alike(name: str) -> None:
    """Whatever is done to an example, its type refuses it exactly where its schema does."""
    document, model, schema = example(name), model_of(name), validator(schema_of_example(name))
    judged = [
        other
        for path in places(document)
        if not TIMES & set(path)
        for other in changed(document, path)
        if accepts(model, other) != schema.is_valid(other)
    ]
    assert judged == []
