"""The JSON Schemas of spec/v1, to hold answers against. Read from the files, shared with no other code."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

_SCHEMAS = Path(__file__).resolve().parents[1] / "spec" / "v1" / "schemas"
_SUFFIX = ".schema.json"

_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339: with a time zone, always."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_formats.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    """RFC 3986: a scheme and something after it."""
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


def assert_valid(document: Any, schema: str) -> None:
    """Fail unless the document fits the schema, named by its place: `common/error`.

    Every place that does not fit is in the message.
    """
    errors = sorted(_validator(schema).iter_errors(document), key=lambda error: error.json_path)
    assert not errors, f"no valid {schema}: " + "; ".join(f"{e.json_path}: {e.message}" for e in errors)


@cache
def _validator(schema: str) -> Draft202012Validator:
    document = json.loads((_SCHEMAS / f"{schema}{_SUFFIX}").read_text(encoding="utf-8"))
    return Draft202012Validator(document, registry=_registry(), format_checker=_formats)


@cache
def _registry() -> Registry[Any]:
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in _SCHEMAS.rglob(f"*{_SUFFIX}")]
    return Registry().with_resources((d["$id"], Resource.from_contents(d)) for d in documents)
