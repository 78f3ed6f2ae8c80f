"""Brings the schemas of spec/v1 together in one document that the model generator understands.

Schemas in, one JSON Schema out. Each schema that bears a title and describes an object or an enum becomes a
definition under that title, so the title is the name of the Python type. What datamodel-code-generator cannot
express for msgspec is taken out here and returned beside the document, and put back by `models.py`.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Schema = dict[str, Any]

# Keywords that a schema may have. The generator would drop some others without a word.
_ANNOTATIONS = {"$id", "$schema", "title", "description", "examples", "default", "x-arp-addition"}
_UNDERSTOOD = _ANNOTATIONS | {
    "additionalProperties", "anyOf", "enum", "format", "items", "maxItems", "maximum", "minItems", "minimum",
    "oneOf", "patternProperties", "properties", "required", "type",
}  # fmt: skip

# Columns of docstrings in the generated code, without their indentation.
_DOC_WIDTH = 104


class SchemaError(Exception):
    """A schema says something that the generated types could not enforce."""


@dataclass
class Bundle:
    """One document with all definitions, and what has to be said about them beside it."""

    definitions: dict[str, Schema] = field(default_factory=dict)
    any_of: dict[str, list[str]] = field(default_factory=dict)
    one_of: dict[str, list[str]] = field(default_factory=dict)
    key_patterns: dict[str, str] = field(default_factory=dict)

    def document(self) -> Schema:
        """Return the JSON Schema document, definitions in a fixed order."""
        return {"$defs": dict(sorted(self.definitions.items()))}


def bundle(schema_dir: Path) -> Bundle:
    """Read every schema below `schema_dir` into one bundle. Raises SchemaError where no rule fits."""
    result = Bundle()
    for path in sorted(schema_dir.rglob("*.schema.json")):
        schema = _load(path)
        if set(schema) <= {"$id", "$schema", "description", "$ref"}:
            continue  # another name of the same document
        _define(schema, path, result)
    return result


def _load(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _define(schema: Schema, path: Path, into: Bundle) -> Schema:
    """Add `schema` to the bundle under its title and return a reference to it."""
    title = schema.get("title")
    if title is None:
        raise SchemaError(f"{path.name}: an object, an enum or a file needs a title to name its type")
    if title in into.definitions or title in into.key_patterns:
        raise SchemaError(f"{path.name}: the title {title!r} is taken")
    if "patternProperties" in schema:
        into.key_patterns[title] = _only_key_pattern(schema, title)
    else:
        into.definitions[title] = {}
        into.definitions[title] = _definition(schema, title, path, into)
    return _reference(schema)


def _definition(schema: Schema, title: str, path: Path, into: Bundle) -> Schema:
    _refuse_unknown_keywords(schema, title)
    kept: Schema = {key: schema[key] for key in ("type", "enum") if key in schema}
    if "properties" in schema:
        if schema.get("additionalProperties") is not False:
            raise SchemaError(f"{title}: an object with named properties must refuse others")
        _note_alternatives(schema, title, into)
        kept["additionalProperties"] = False
        kept["required"] = schema.get("required", [])
        kept["properties"] = _properties(schema, path, into)
    if "properties" in schema or "enum" in schema:
        kept["description"] = _documentation(schema)
    return kept


def _properties(schema: Schema, path: Path, into: Bundle) -> Schema:
    """Return the properties, required ones first: that is the order of the constructor's arguments."""
    required = set(schema.get("required", []))
    ordered = sorted(schema["properties"].items(), key=lambda item: item[0] not in required)
    return {name: _value(value, path, into) for name, value in ordered}


def _value(schema: Schema, path: Path, into: Bundle) -> Schema:
    """Return the schema of a property or an item, with named types moved out of it."""
    if "$ref" in schema:
        target = _load((path.parent / schema["$ref"]).resolve())
        return _reference(target)
    _refuse_unknown_keywords(schema, path.name)
    if "properties" in schema or "enum" in schema:
        return _define(schema, path, into)
    # A default in a schema is documentation: absent stays absent, and the service applies the default.
    kept = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    if kept.get("format") == "date-time":
        return {"customTypePath": "arp_model._base.AwareDatetime"}
    if "items" in kept:
        kept["items"] = _value(kept["items"], path, into)
    return kept


def _documentation(schema: Schema) -> str:
    """Return the text of the type's docstring: what it is, then what each field is."""
    lines = textwrap.wrap(schema["description"], _DOC_WIDTH)
    fields = schema.get("properties", {})
    if fields:
        lines += ["", "Fields:"]
    for name, value in fields.items():
        text = f"{name}: {value['description']}"
        lines += textwrap.wrap(text, _DOC_WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _note_alternatives(schema: Schema, title: str, into: Bundle) -> None:
    for keyword, notes in (("anyOf", into.any_of), ("oneOf", into.one_of)):
        branches = schema.get(keyword)
        if branches is None:
            continue
        if any(set(branch) != {"required"} or len(branch["required"]) != 1 for branch in branches):
            raise SchemaError(f"{title}: {keyword} may only list single required properties")
        notes[title] = [branch["required"][0] for branch in branches]


def _only_key_pattern(schema: Schema, title: str) -> str:
    patterns = schema["patternProperties"]
    if len(patterns) != 1 or schema.get("additionalProperties") is not False or "properties" in schema:
        raise SchemaError(f"{title}: patternProperties may only be one pattern, with no other properties")
    (pattern, value), *_ = patterns.items()
    if value != {}:
        raise SchemaError(f"{title}: the values of patternProperties may not be constrained")
    return str(pattern)


def _refuse_unknown_keywords(schema: Schema, where: str) -> None:
    unknown = set(schema) - _UNDERSTOOD
    if unknown:
        raise SchemaError(f"{where}: no rule for {sorted(unknown)}")


def _reference(schema: Schema) -> Schema:
    if "patternProperties" in schema:
        return {"customTypePath": f"arp_model.generated.maps.{schema['title']}"}
    return {"$ref": f"#/$defs/{schema['title']}"}
