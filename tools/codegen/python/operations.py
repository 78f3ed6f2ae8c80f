"""Makes the source of `arp_sdk.generated` from the OpenAPI documents: operations, request objects, typed methods."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml
from models import HEADER

_METHODS = ("get", "put", "post", "delete", "patch")
_JSON = "application/json"
# Answers that are given as they are, of which the first is asked for.
_TEXTS = ("text/event-stream", "text/plain")
_SCALARS = {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}

# Request objects whose fields are the body's own are written by hand, in this module of arp_sdk.
_HAND_WRITTEN = {"invoke_tool": "arp_sdk._invoke_tool"}
# Headers that the clients set themselves.
_OWN_HEADERS = {"Last-Event-ID"}
# Methods that do the same again when they are repeated (RFC 9110, 9.2.2), and POSTs that do: a run's id is known before
# it is sent, and what is canceled or drained stays so.
_REPEATABLE_METHODS = {"get", "put", "delete"}
_REPEATABLE = {"cancel_run", "create_run", "create_runs", "drain_instance", "submit_run", "submit_runs"}
# Streams that never end have no method that returns them whole.
_ENDLESS = {"stream_events"}


class OpenApiError(Exception):
    """An OpenAPI document says something that the generated client could not do."""


@dataclass(frozen=True)
class Field:
    """One value that a caller gives. `wire_name` is its name in a query or as a header."""

    name: str
    type: str
    doc: str
    wire_name: str = ""


@dataclass(frozen=True)
class OperationSpec:
    """One operation, in the words of the template."""

    name: str
    method: str
    path: str
    success: int
    response: str
    media_type: str
    path_fields: tuple[Field, ...]
    query_fields: tuple[Field, ...]
    header_fields: tuple[Field, ...]
    body: Field | None
    doc: str
    request: str
    request_module: str | None
    endless: bool
    repeatable: bool

    @property
    def required(self) -> tuple[Field, ...]:
        """What a caller cannot leave out."""
        return (*self.path_fields, *((self.body,) if self.body else ()))

    @property
    def optional(self) -> tuple[Field, ...]:
        """What a caller may give."""
        return (*self.query_fields, *self.header_fields)


def operation_files(openapi_dir: Path) -> dict[str, str]:
    """Return the files of `arp_sdk/generated` by name."""
    package = f'{HEADER}"""The generated operations. Call them through the clients."""\n'
    files = {"__init__.py": package}
    for path in sorted(openapi_dir.glob("*.openapi.yaml")):
        service = path.name.removesuffix(".openapi.yaml").replace("-", "_")
        files[f"{service}.py"] = render(service, read_operations(yaml.safe_load(path.read_text(encoding="utf-8"))))
    return files


def read_operations(document: dict[str, Any]) -> list[OperationSpec]:
    """Return the document's operations, in its order. Raises OpenApiError where no rule fits."""
    return [
        _operation(document, path, method, item)
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]


def render(service: str, operations: list[OperationSpec]) -> str:
    """Return the source of one service's module."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it makes Python, not HTML
    )
    title = "".join(word.capitalize() for word in service.split("_"))
    return templates.get_template("operations.py.jinja").render(
        header=HEADER,
        service=service.replace("_", " "),
        service_id=service,
        title=title,
        operations=operations,
        models=_models(operations),
        with_times=any(field.type == "datetime" for operation in operations for field in operation.optional),
    )


def _models(operations: list[OperationSpec]) -> list[str]:
    """Return the names that a module takes from arp_model."""
    texts = [operation.response for operation in operations]
    texts += [field.type for operation in operations for field in (*operation.required, *operation.optional)]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    return sorted(words - {"list", "datetime", "NoneType", *_SCALARS.values()})


def _operation(document: dict[str, Any], path: str, method: str, item: dict[str, Any]) -> OperationSpec:
    spec = item[method]
    name = spec["operationId"]
    parameters = [_resolve(document, p) for p in [*item.get("parameters", []), *spec.get("parameters", [])]]
    success, response, media_type = _success(spec)
    return OperationSpec(
        name=name,
        method=method.upper(),
        path=path,
        success=success,
        response=response,
        media_type=media_type,
        path_fields=tuple(_field(p) for p in parameters if p["in"] == "path"),
        query_fields=tuple(_field(p) for p in parameters if p["in"] == "query"),
        header_fields=tuple(_field(p) for p in parameters if p["in"] == "header" and p["name"] not in _OWN_HEADERS),
        body=_body(spec),
        doc=spec["summary"],
        request="".join(word.capitalize() for word in name.split("_")) + "Request",
        request_module=_HAND_WRITTEN.get(name),
        endless=name in _ENDLESS,
        repeatable=method in _REPEATABLE_METHODS or name in _REPEATABLE,
    )


def _success(spec: dict[str, Any]) -> tuple[int, str, str]:
    """Return the status of success, and the Python type and the media type of its body."""
    codes = [code for code in spec["responses"] if code.startswith("2")]
    if len(codes) != 1:
        raise OpenApiError(f"{spec['operationId']}: wants exactly one successful answer")
    content = spec["responses"][codes[0]].get("content", {})
    if not content:
        return int(codes[0]), "NoneType", _JSON
    for media_type in _TEXTS:
        if media_type in content:
            return int(codes[0]), "str", media_type
    return int(codes[0]), _type(content[_JSON]["schema"]), _JSON


def _body(spec: dict[str, Any]) -> Field | None:
    body = spec.get("requestBody")
    if body is None:
        return None
    return Field("body", _type(body["content"][_JSON]["schema"]), body["description"])


def _field(parameter: dict[str, Any]) -> Field:
    if (parameter["in"] == "path") != parameter["required"]:
        raise OpenApiError(f"{parameter['name']}: path parameters are required, and no others")
    name = parameter["name"].replace("-", "_").lower()
    return Field(name, _type(parameter["schema"]), parameter["description"], parameter["name"])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema["type"] == "array":
        return f"list[{_type(schema['items'])}]"
    if schema.get("format") == "date-time":
        return "datetime"
    return _SCALARS[schema["type"]]


def _resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return dict(target)
