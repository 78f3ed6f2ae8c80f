"""Which operations the standard and our additions have: read from the OpenAPI documents."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from conformance.specification import SPEC, read_yaml

KINDS = ("runtime", "daemon", "tool-registry")
_METHODS = {"get", "put", "post", "delete", "patch"}
# What a service need not offer although the standard describes it.
_OPTIONAL = {("runtime", "cancel_run"), ("runtime", "stream_run_events"), ("daemon", "get_run_trace")}


class Operation(NamedTuple):
    """One operation of a kind of service, as its OpenAPI document has it."""

    kind: str
    id: str
    method: str
    template: str
    responses: dict[str, Any]
    addition: bool

    @property
    def name(self) -> str:
        """What it is called in the name of a check."""
        return self.id

    @property
    def needs_body(self) -> bool:
        """Whether the standard requires it, and a field in the body of its request."""
        return self.required and self.method == "POST"

    @property
    def required(self) -> bool:
        """Whether every service of the kind must offer it."""
        return not self.addition and (self.kind, self.id) not in _OPTIONAL

    @property
    def pattern(self) -> str:
        """A regular expression for the paths that it serves."""
        return re.sub(r"\\\{\w+\\\}", r"[^/:]+", re.escape(self.template))


class ServedPath(NamedTuple):
    """A path, with its parameters filled in, and its methods in capitals."""

    kind: str
    path: str
    methods: frozenset[str]

    @property
    def name(self) -> str:
        """What it is called in the name of a check."""
        return self.path

    @property
    def other_methods(self) -> list[str]:
        """Those that it does not have."""
        return sorted({method.upper() for method in _METHODS} - self.methods)


@cache
def load_document(kind: str) -> dict[str, Any]:
    """The OpenAPI document of a kind of service."""
    loaded: dict[str, Any] = read_yaml(SPEC / "openapi" / f"{kind}.openapi.yaml")
    return loaded


@cache
def operations(kind: str) -> tuple[Operation, ...]:
    """Every operation of a kind of service."""
    return tuple(
        Operation(
            kind,
            operation["operationId"],
            method.upper(),
            template,
            operation["responses"],
            bool(operation.get("x-arp-addition")),
        )
        for template, item in load_document(kind)["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    )


def find_operation(kind: str, method: str, path: str) -> Operation | None:
    """The operation that a request asks for."""
    fitting = [o for o in operations(kind) if o.method == method and re.fullmatch(o.pattern, path)]
    return min(fitting, key=lambda operation: operation.template.count("{"), default=None)


def answer_schema(operation: Operation, status: str, media_type: str) -> str | None:
    """The name of the schema of an answer, such as `common/health`, with `[]` for a list of such; else None."""
    content = operation.responses[status].get("content", {}).get(media_type, {})
    return _schema_name(operation.kind, content.get("schema", {}))


def _schema_name(kind: str, schema: dict[str, Any]) -> str | None:
    if schema.get("type") == "array":
        return f"{_schema_name(kind, schema['items'])}[]"
    if "$ref" not in schema:
        return None
    component = load_document(kind)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return str(component["$ref"]).removeprefix("../schemas/").removesuffix(".schema.json")


def served_paths(kind: str) -> list[ServedPath]:
    """Every path of a kind of service."""
    templates = dict.fromkeys(operation.template for operation in operations(kind))
    return [
        ServedPath(
            kind,
            re.sub(r"\{\w+\}", "nothing", template),
            frozenset(o.method for o in operations(kind) if o.template == template),
        )
        for template in templates
    ]
