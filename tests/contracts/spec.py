"""The documents of spec/v1, as the tests of the contract read them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SPEC = Path(__file__).resolve().parents[2] / "spec" / "v1"
SCHEMAS = {
    path.relative_to(SPEC / "schemas").as_posix(): path for path in sorted(SPEC.glob("schemas/**/*.schema.json"))
}
OPENAPI = {path.name.split(".")[0]: path for path in sorted(SPEC.glob("openapi/*.openapi.yaml"))}
EXAMPLES = {path.relative_to(SPEC / "examples").as_posix(): path for path in sorted(SPEC.glob("examples/**/*.json"))}


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema of this name below spec/v1/schemas."""
    loaded: dict[str, Any] = json.loads(SCHEMAS[name].read_text(encoding="utf-8"))
    return loaded


@cache
def api(name: str) -> dict[str, Any]:
    """The OpenAPI document of a service."""
    loaded: dict[str, Any] = yaml.safe_load(OPENAPI[name].read_text(encoding="utf-8"))
    return loaded


def example(name: str) -> Any:
    """The example of this name below spec/v1/examples."""
    return json.loads(EXAMPLES[name].read_text(encoding="utf-8"))


def schema_of_example(name: str) -> str:
    """The name of the schema that an example is of: `run.full.json` is of `run.schema.json`."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.split('.')[0]}.schema.json"


@cache
def validator(name: str) -> Draft202012Validator:
    """A validator that knows all schemas by their `$id`, and fetches nothing."""
    resources = [Resource.from_contents(schema(known)) for known in SCHEMAS]
    registry: Registry[Any] = Registry().with_resources([(str(resource.id()), resource) for resource in resources])
    return Draft202012Validator(schema(name), registry=registry)


@cache
def resolved(name: str) -> dict[str, Any]:
    """The schema that a file which is only a reference points at, or the file's own."""
    found = schema(name)
    if "$ref" not in found:
        return found
    target = (SCHEMAS[name].parent / found["$ref"]).resolve().relative_to(SPEC / "schemas")
    return resolved(target.as_posix())
