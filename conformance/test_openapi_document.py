"""The document that a service serves: whole, and true of every operation at the door."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from conformance.goals import not_applicable
from conformance.service import Service, read, read_error

_METHODS = {"get", "put", "post", "delete"}


class Operation(NamedTuple):
    """One operation, with its path's parameters filled in."""

    name: str
    method: str
    path: str
    statuses: set[str]
    told_to_all: bool
    """It needs no token, where others do."""


def document_of(service: Service) -> Any:
    """What the service serves."""
    if not service.features:
        not_applicable("the service announces no additions, of which its document is one")
    response = service.http.get("/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


def operations(document: Any) -> list[Operation]:
    """All of them."""
    return [
        Operation(
            said["operationId"],
            method,
            re.sub(r"\{\w+\}", "nothing", path),
            set(said["responses"]),
            bool(document["security"]) and said.get("security") == [],
        )
        for path, item in document["paths"].items()
        for method, said in item.items()
        if method in _METHODS
    ]


@pytest.mark.requirement("openapi.served")
def test_the_document_stands_alone(service: Service) -> None:
    """A tool that is given its URL needs nothing else; requests go to where it came from."""
    document = document_of(service)
    assert document["openapi"].startswith("3.1.")
    assert [server["url"] for server in document["servers"]] == ["/"]
    for reference in re.findall(r"'\$ref': '([^']+)'", str(document)):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


@pytest.mark.requirement("openapi.served")
def test_the_document_names_what_is_served(service: Service) -> None:
    """Each operation that it names is there: asked for nothing that exists, none is an unknown path."""
    for operation in operations(document_of(service)):
        with service.http.stream(operation.method.upper(), operation.path) as response:
            assert str(response.status_code) in operation.statuses, operation
            if response.status_code == 404:
                response.read()
                assert read(response, "common/error", 404)["error"]["code"] != "not_found", operation


@pytest.mark.requirement("openapi.kept")
def test_the_door_is_before_every_operation(service: Service) -> None:
    """Whoever cannot be told gets a 401, and another site's page a 403: what the document says of both."""
    for operation in operations(document_of(service)):
        method, path = operation.method.upper(), operation.path
        unknown = service.without_token.request(method, path, headers={"Forwarded": "for=192.0.2.1"})
        if operation.told_to_all:
            assert unknown.is_success, operation
        else:
            read_error(unknown, 401, "unauthorized")
        assert operation.statuses >= ({"403"} if operation.told_to_all else {"401", "403"})
        read_error(service.http.request(method, path, headers={"Origin": "null"}), 403, "origin_not_allowed")


@pytest.mark.requirement("request.unknown_parameter")
def test_a_parameter_that_an_operation_does_not_have_is_refused(service: Service) -> None:
    """A slip of the pen in a filter does not pass for no filter."""
    for operation in operations(document_of(service)):
        response = service.http.request(operation.method.upper(), operation.path, params={"verbos": "1"})
        assert "verbos" in read_error(response, 400, "invalid_request")["message"]
