"""The JSON Schemas of spec/v1, to hold answers against. Read from the files, shared with no other code."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from conformance.specification import SPEC

_SCHEMAS = SPEC / "schemas"
_SUFFIX = ".schema.json"

# Of formats, which say little by themselves in this draft, only that of times is insisted on.
_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339: with a time zone, always."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def find_faults(document: Any, schema: str) -> str:
    """Say at which places a document does not fit a schema; nothing where it fits.

    The schema is named by its place, `common/error`; `[]` after that means a list of such documents.
    """
    if schema.endswith("[]"):
        if not isinstance(document, list):
            return "$: it is no list"
        return "; ".join(filter(None, (find_faults(item, schema[:-2]) for item in document)))
    errors = sorted(_validator(schema).iter_errors(document), key=lambda error: error.json_path)
    return "; ".join(f"{error.json_path}: {error.message}" for error in errors)


def assert_valid(document: Any, schema: str) -> None:
    """Fail unless the document fits the schema, with every place that does not in the message."""
    faults = find_faults(document, schema)
    assert not faults, f"no valid {schema}: {faults}"


@cache
def _validator(schema: str) -> Draft202012Validator:
    document = json.loads((_SCHEMAS / f"{schema}{_SUFFIX}").read_text(encoding="utf-8"))
    return Draft202012Validator(document, registry=_registry(), format_checker=_formats)


@cache
def _registry() -> Registry[Any]:
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in _SCHEMAS.rglob(f"*{_SUFFIX}")]
    return Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in documents)
