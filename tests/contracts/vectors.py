"""The golden vectors of spec/v1/vectors, as tests read them. Their README says what a file holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from contracts.spec import SCHEMAS, SPEC, schema

VECTORS = {
    f"{path.relative_to(SPEC / 'vectors').as_posix().removesuffix('.vectors.json')}.schema.json": path
    for path in sorted(SPEC.glob("vectors/**/*.json"))
}


@dataclass(frozen=True)
class Vector:
    """A document, and what is to be said about it. An invalid one is wrong in one place, by one keyword."""

    why: str
    document: Any
    at: str = ""
    keyword: str = ""


def valid(name: str) -> list[Vector]:
    """The documents that a schema allows."""
    return [_vector(**item) for item in _file(name)["valid"]]


def invalid(name: str) -> list[Vector]:
    """The documents that a schema forbids."""
    return [_vector(**item) for item in _file(name)["invalid"]]


@cache
def _file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(VECTORS[name].read_text(encoding="utf-8"))
    assert set(loaded) == {"schema", "valid", "invalid"}
    assert loaded["schema"] == name
    return loaded


def _vector(document: Any, repeat: dict[str, Any] | None = None, **said: str) -> Vector:
    if repeat is not None:
        document = {**document, repeat["property"]: document[repeat["property"]] * repeat["times"]}
    return Vector(document=document, **said)


@cache
def strict_schema(name: str) -> dict[str, Any]:
    """The schema, with patterns as Python's `re` must have them: its `$` would let a newline pass at the end."""
    changed: dict[str, Any] = _with_strict_patterns(schema(name))
    return changed


@cache
def strict_validator(name: str) -> Draft202012Validator:
    """A validator of every keyword, `format` too, which asks for more than a validator must."""
    resources = [(str(schema(known)["$id"]), Resource.from_contents(strict_schema(known))) for known in SCHEMAS]
    registry: Registry[Any] = Registry().with_resources(resources)
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(strict_schema(name), registry=registry, format_checker=checker)


def _with_strict_patterns(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_strict_patterns(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _with_strict_patterns(value) for key, value in node.items()}
    if "patternProperties" in changed:
        patterns = changed["patternProperties"].items()
        changed["patternProperties"] = {key.removesuffix("$") + r"\Z": value for key, value in patterns}
    return changed
