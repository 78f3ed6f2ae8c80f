"""From the contract to what one server does: the overlay of a served OpenAPI document. Pure.

spec/v1 says what every ARP service may do; an overlay narrows that to what this one accepts and answers, so that a
client, or a tool that makes clients and tests, can rely on each line of what is served.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from arp_service.admission import TokenUse
from arp_service.body import MAX_BODY_BYTES
from arp_service.ids import ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Node = dict[str, Any]

ID: Node = {"minLength": 1, "maxLength": 128, "pattern": ID_PATTERN}
"""What an id has to be, whoever chose it."""
ANY_TEXT: Node = {"$ref": None, "type": "string"}
"""For what is compared, or ignored, and never called: it need not be an address."""

_METHODS = ("get", "put", "post", "delete")
# Whatever is asked: an unknown parameter, a peer that cannot be told or may not, the door's other reasons, and a bug.
_ANY_REQUEST = (400, 401, 403, 500)
_ANY_BODY = (408, 413, 415)
_ONE_ERROR = "#/components/responses/Error"


@dataclass(frozen=True)
class Overlay:
    """What a service does within the contract."""

    narrowed: Mapping[str, Node]
    """JSON pointers to schemas, and the keywords that each gets; with None it loses one."""
    refusals: Mapping[str, Sequence[int]]
    """By operationId: the error statuses that it answers with beside those of every operation."""
    links: Mapping[str, Mapping[str, Node]]
    """By operationId: what can be asked next, with values of its answer (the OpenAPI Link Objects, by name)."""
    max_body_bytes: Mapping[str, int] = field(default_factory=dict)
    """By operationId: the largest body, where it is another than usual."""


def link(operation: str, body: Node | None = None, parameters: Mapping[str, str] | None = None) -> Node:
    """An OpenAPI Link Object: call `operation` with what these runtime expressions find in the answer."""
    asked: Node = {"operationId": operation}
    if parameters is not None:
        asked["parameters"] = dict(parameters)
    if body is not None:
        asked["requestBody"] = body
    return asked


def links(*operations: str, **parameters: str) -> dict[str, Node]:
    """Links to several operations that take the same parameters, each under the operation's name."""
    return {operation: link(operation, parameters=parameters) for operation in operations}


def applied(document: Node, overlay: Overlay, who_gets_in: str, token: TokenUse = TokenUse.IGNORED) -> Node:
    """Return the document with the overlay over it. `who_gets_in` says in words what no scheme of OpenAPI does.

    Raises:
        KeyError: the overlay speaks of what is not in the document.
    """
    served = copy.deepcopy(document)
    served["servers"] = [{"url": "/", "description": "This server."}]
    served["info"]["description"] += f" {who_gets_in}"
    _tell_token(served, token)
    for parameter in served["components"]["parameters"].values():
        if parameter["in"] == "path":
            parameter["schema"].update(ID)
    for pointer, keywords in overlay.narrowed.items():
        _change(_at(served, pointer), keywords)
    for operation in operations(served):
        _tell_answers(served, operation, overlay)
    for name in (*overlay.refusals, *overlay.links, *overlay.max_body_bytes):
        _operation(served, name)
    return served


def _tell_token(document: Node, token: TokenUse) -> None:
    """Whether there is a token to show; where there is none, nobody looks at one."""
    if token is TokenUse.IGNORED:
        document["security"] = []
        del document["components"]["securitySchemes"]
        return
    for scheme in document["components"]["securitySchemes"].values():
        scheme.pop("bearerFormat", None)
        scheme["description"] = "The token of this server; it has no parts that a client could read."
    if token is TokenUse.OPTIONAL:
        document["security"] = [*document["security"], {}]


def _change(schema: Node, keywords: Node) -> None:
    schema.update(keywords)
    for keyword in [keyword for keyword, value in keywords.items() if value is None]:
        del schema[keyword]


def operations(document: Node) -> Iterator[Node]:
    """All operations of a document."""
    for path in document["paths"].values():
        yield from (path[method] for method in _METHODS if method in path)


def query_parameters(document: Node) -> dict[str, dict[str, bool]]:
    """By operationId: the parameters of its query, and whether each may be repeated."""
    found: dict[str, dict[str, bool]] = {}
    for path in document["paths"].values():
        shared = path.get("parameters", [])
        for operation in (path[method] for method in _METHODS if method in path):
            stated = [_at(document, p["$ref"].removeprefix("#/")) for p in [*shared, *operation.get("parameters", [])]]
            found[operation["operationId"]] = {
                p["name"]: p["schema"]["type"] == "array" for p in stated if p["in"] == "query"
            }
    return found


def _tell_answers(document: Node, operation: Node, overlay: Overlay) -> None:
    """Leave in the statuses that are really answered, and with them what can be asked next."""
    name, stated = operation["operationId"], operation["responses"]
    body = operation.get("requestBody")
    statuses = {*_ANY_REQUEST, *(_ANY_BODY if body else ()), *overlay.refusals.get(name, ())}
    if document["security"] and operation.get("security") == []:
        statuses -= {HTTPStatus.UNAUTHORIZED}  # told to everybody
    successes = {status: answer for status, answer in stated.items() if status.startswith("2")}
    for answer in successes.values():
        if name in overlay.links:
            answer["links"] = dict(overlay.links[name])
    refusals = {str(status): stated.get(str(status)) or _refusal(document, status) for status in sorted(statuses)}
    operation["responses"] = {**successes, **refusals}
    if body:
        max_bytes = overlay.max_body_bytes.get(name, MAX_BODY_BYTES)
        body["x-arp-max-bytes"] = max_bytes
        body["description"] += f" At most {max_bytes} bytes."


def _refusal(document: Node, status: int) -> Node:
    """An answer that the contract leaves to its `default`: named as the other operations name theirs, if they do."""
    for operation in operations(document):
        known: Node | None = operation["responses"].get(str(status))
        if known is not None:
            return dict(known)
    return {"$ref": _ONE_ERROR, "description": f"{HTTPStatus(status).phrase}."}


def _operation(document: Node, name: str) -> Node:
    for operation in operations(document):
        if operation["operationId"] == name:
            return operation
    raise KeyError(name)


def _at(document: Node, pointer: str) -> Node:
    node = document
    for part in pointer.split("/"):
        node = node[part]
    return node
