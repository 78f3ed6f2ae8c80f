"""Values held against JSON Schemas (draft 2020-12, unless a schema names another)."""

from __future__ import annotations

from typing import Any

from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

# A message may quote the value, which can be as long as its sender likes.
_MAX_MESSAGE = 300


class InvalidSchemaError(ValueError):
    """That is no JSON Schema, or refers to one that is elsewhere."""


class JsonSchema:
    """A schema, ready to check values. References lead to its own parts only: nothing is ever fetched."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Raises InvalidSchemaError."""
        class_ = validator_for(schema, default=Draft202012Validator)
        try:
            class_.check_schema(schema)
        except (SchemaError, Unresolvable, RecursionError) as exc:
            raise InvalidSchemaError(_short(exc)) from exc
        self._validator = class_(schema, registry=Registry())

    def find_problem(self, value: Any) -> str | None:
        """What is wrong with the value, beginning with its place (`$.a[0]: ...`); None where it fits."""
        try:
            error = best_match(self._validator.iter_errors(value))
        except Unresolvable as exc:
            return f"the schema cannot be followed: {_short(exc)}"
        except RecursionError:
            return "$: it is nested too deep"
        return None if error is None else f"{error.json_path}: {_short(error)}"


def _short(exc: Exception) -> str:
    text = exc.message if hasattr(exc, "message") else str(exc)
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "..."
