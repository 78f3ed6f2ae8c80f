"""The documents that the services serve: whole, and of what the services really do."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from starlette.datastructures import QueryParams
from starlette.routing import Route

from arp_daemon import api_document as daemon
from arp_daemon.app import daemon_app
from arp_daemon.daemon import Daemon
from arp_daemon.endpoint import ENDPOINT_PATTERN, URL_PATTERN, is_url, read_endpoint
from arp_daemon.run_filter import LABEL_PATTERN, filter_of_query
from arp_runtime import api_document as runtime
from arp_runtime.app import create_runtime_app
from arp_runtime.records.opening import records_in_memory
from arp_service.admission import OwnUserOnly
from arp_service.ids import ID_PATTERN, check_id
from arp_service.overlay import operations
from arp_service.peer import PeerLookup, own_uid
from arp_service.stopping import Stop
from contracts.spec import api
from runtime.scene import managed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.routing import BaseRoute

    from arp_service.overlay import Overlay


_NO_OPERATIONS = {"/metrics", "/openapi.json"}
SERVED = {"daemon": daemon.api_document(""), "runtime": runtime.api_document("")}


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@pytest.mark.parametrize("service", SERVED)
def test_a_served_document_stands_alone(service: str) -> None:
    """Each reference leads into the document itself, and nothing in it moves where references lead."""
    document = SERVED[service].content
    for reference in references(document):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    assert "$id" not in str(document)


@pytest.mark.parametrize("service", SERVED)
def test_a_served_document_has_all_operations_of_the_contract(service: str) -> None:
    """Those of the standard and the additions, which are marked; with the answer that means success."""

    def told(document: dict[str, Any]) -> dict[str, tuple[bool, list[str]]]:
        return {
            o["operationId"]: (o.get("x-arp-addition", False), [s for s in o["responses"] if s.startswith("2")])
            for o in operations(document)
        }

    assert told(SERVED[service].content) == told(api(service))


async def _daemon_routes() -> list[BaseRoute]:
    """Those of an app that is assembled for nobody: a route asks nothing of the daemon before it is called."""
    parts: dict[str, Any] = dict.fromkeys(field.name for field in fields(Daemon))
    nobody = Daemon(**{**parts, "health": SimpleNamespace(checks=None)})
    with PeerLookup() as lookup:
        return daemon_app(nobody, OwnUserOnly(lookup, own_uid())).routes


async def _runtime_routes() -> list[BaseRoute]:
    async with managed(lambda goal: goal) as runs:
        with PeerLookup() as lookup:
            app = create_runtime_app(runs, records_in_memory(), Stop(), OwnUserOnly(lookup, own_uid()))
            return app.routes


@pytest.mark.parametrize(("service", "routes_of"), [("daemon", _daemon_routes), ("runtime", _runtime_routes)])
async def test_every_route_is_in_the_document(
    service: str, routes_of: Callable[[], Awaitable[list[BaseRoute]]]
) -> None:
    """Under its path, method and name, by which its query is checked; but metrics and the document itself are not."""
    routes = [route for route in await routes_of() if isinstance(route, Route)]
    served = {
        (method.lower(), route.path.replace(":id}", "}"), route.name)
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
        if route.path not in _NO_OPERATIONS
    }
    told = {
        (method, path, said["operationId"])
        for path, item in SERVED[service].content["paths"].items()
        for method, said in item.items()
        if method != "parameters"
    }
    assert served == told


@pytest.mark.parametrize("service", SERVED)
def test_every_refusal_is_an_error_envelope(service: str) -> None:
    """No status is left to a `default`."""
    document = SERVED[service].content
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                continue
            assert status.isdigit()
            found = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert found["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorEnvelope"}


@pytest.mark.parametrize("service", SERVED)
def test_links_lead_to_operations_and_name_their_parameters(service: str) -> None:
    """So that a client can go on from an answer."""
    document = SERVED[service].content
    known = {operation["operationId"] for operation in operations(document)}
    for operation in operations(document):
        for answer in operation["responses"].values():
            assert {link["operationId"] for link in answer.get("links", {}).values()} <= known


@pytest.mark.parametrize("service", SERVED)
def test_schemas_are_valid_ones(service: str) -> None:
    """What the overlay has put in keeps to JSON Schema 2020-12."""
    for schema in SERVED[service].content["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("overlay", [daemon.OVERLAY, runtime.OVERLAY], ids=SERVED)
def test_what_is_narrowed_stays_one_type(overlay: Overlay) -> None:
    """Of each alternative code generators make a type of its own, with a number for its name."""
    for keywords in overlay.narrowed.values():
        assert not keywords.keys() & {"oneOf", "anyOf", "allOf"}


def _takes(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern.removesuffix("$") + r"\Z")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_a_pattern_takes_the_daemon_takes(data: st.DataObject) -> None:
    """A client that keeps to the document is never told that its words make no sense."""
    check_id(data.draw(_takes(ID_PATTERN)), "id")
    assert is_url(data.draw(_takes(URL_PATTERN)))
    read_endpoint(data.draw(_takes(ENDPOINT_PATTERN)), "endpoint")
    filter_of_query(QueryParams([("label", data.draw(_takes(LABEL_PATTERN)))]))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "http://",
        "ftp://a",
        "http://a b",
        "http://[::x]",
        "http://[0e0:27a:]",
        "http://a/{b}",
        "http://a:123456",
    ],
)
def test_what_is_no_url_is_none(url: str) -> None:
    """A profile with it would be answered with what is no URI."""
    assert not is_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "https://tools.example.com/arp", "http://[fd00::1]:80", "http://my_tools"]
)
def test_what_is_a_url_is_one(url: str) -> None:
    """Whatever instances can call."""
    assert is_url(url)
