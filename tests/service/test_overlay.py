"""What an overlay makes of a contract."""

from __future__ import annotations

from typing import Any

import pytest

from arp_service import overlay as overlays
from arp_service.body import MAX_BODY_BYTES
from arp_service.overlay import ID, Overlay, link, links, operations, query_parameters

_ERROR = {"description": "Any other error."}


def _document() -> dict[str, Any]:
    """Two operations: one that reads, one that writes."""
    return {
        "openapi": "3.1.0",
        "info": {"description": "A contract."},
        "servers": [{"url": "http://127.0.0.1:8081"}],
        "security": [{"Token": []}],
        "paths": {
            "/v1/things/{thing_id}": {
                "parameters": [{"$ref": "#/components/parameters/ThingId"}],
                "get": {
                    "operationId": "get_thing",
                    "parameters": [{"$ref": "#/components/parameters/Part"}, {"$ref": "#/components/parameters/Deep"}],
                    "responses": {"200": {"description": "It."}, "404": {"description": "None."}, "default": _ERROR},
                },
                "put": {
                    "operationId": "put_thing",
                    "requestBody": {"description": "The thing."},
                    "responses": {"204": {"description": "Done."}, "429": {"description": "Later."}, "default": _ERROR},
                },
            }
        },
        "components": {
            "securitySchemes": {"Token": {"type": "http", "scheme": "bearer"}},
            "parameters": {
                "ThingId": {"name": "thing_id", "in": "path", "schema": {"type": "string"}},
                "Part": {"name": "part", "in": "query", "schema": {"type": "array"}},
                "Deep": {"name": "deep", "in": "query", "schema": {"type": "boolean"}},
            },
            "responses": {"Error": _ERROR},
            "schemas": {"Thing": {"type": "object", "properties": {"at": {"$ref": "#/x", "description": "Where."}}}},
        },
    }


def applied(document: dict[str, Any], overlay: Overlay) -> dict[str, Any]:
    return overlays.applied(document, overlay, "Friends get in.")


def _overlay(**parts: Any) -> Overlay:
    return Overlay(**{"narrowed": {}, "refusals": {}, "links": {}, **parts})


def _by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for operation in operations(document)}


def test_only_what_is_answered_is_said_to_be() -> None:
    """No `default` covers up for the rest; what the contract knows and the service never answers is gone."""
    served = _by_name(applied(_document(), _overlay(refusals={"put_thing": [404]})))
    assert list(served["get_thing"]["responses"]) == ["200", "400", "401", "403", "500"]
    expected = ["204", "400", "401", "403", "404", "408", "413", "415", "500"]
    assert list(served["put_thing"]["responses"]) == expected


def test_a_refusal_is_told_in_the_words_of_the_contract_where_it_has_some() -> None:
    """Else by its status, as an error like any other."""
    responses = _by_name(applied(_document(), _overlay(refusals={"get_thing": [404, 410]})))["get_thing"]["responses"]
    assert responses["404"] == {"description": "None."}
    assert responses["410"] == {"$ref": "#/components/responses/Error", "description": "Gone."}


def test_ids_in_paths_are_ids_and_schemas_are_narrowed() -> None:
    """A keyword that is None is taken away."""
    narrowed = {"components/schemas/Thing/properties/at": {"$ref": None, "type": "string"}}
    components = applied(_document(), _overlay(narrowed=narrowed))["components"]
    assert components["parameters"]["ThingId"]["schema"] == {"type": "string", **ID}
    assert components["schemas"]["Thing"]["properties"]["at"] == {"description": "Where.", "type": "string"}


def test_the_way_in_is_that_of_this_server() -> None:
    """At the address where it was asked for, for whom it lets in, and without a token that nobody would look at."""
    document = applied(_document(), _overlay())
    assert document["servers"][0]["url"] == "/"
    assert document["security"] == []
    assert "securitySchemes" not in document["components"]
    assert document["info"]["description"] == "A contract. Friends get in."


def test_bodies_have_a_size() -> None:
    """In a keyword for programs, and in words."""
    usual = _by_name(applied(_document(), _overlay()))["put_thing"]["requestBody"]
    large = _by_name(applied(_document(), _overlay(max_body_bytes={"put_thing": 7})))["put_thing"]["requestBody"]
    assert usual["x-arp-max-bytes"] == MAX_BODY_BYTES
    assert (large["x-arp-max-bytes"], large["description"]) == (7, "The thing. At most 7 bytes.")


def test_links_lead_from_a_success() -> None:
    """From each operation to those that can be asked next."""
    asked = links("get_thing", thing_id="$request.path.thing_id")
    responses = _by_name(applied(_document(), _overlay(links={"put_thing": asked})))["put_thing"]["responses"]
    parameters = {"thing_id": "$request.path.thing_id"}
    assert responses["204"]["links"] == {"get_thing": {"operationId": "get_thing", "parameters": parameters}}
    assert "links" not in responses["400"]
    assert link("put_thing", body={"a": 1}) == {"operationId": "put_thing", "requestBody": {"a": 1}}


@pytest.mark.parametrize(
    "parts",
    [
        {"narrowed": {"components/schemas/Thin": {"type": "string"}}},
        {"refusals": {"get_thin": [404]}},
        {"links": {"get_thin": {}}},
        {"max_body_bytes": {"get_thin": 1}},
    ],
)
def test_an_overlay_of_what_is_not_there_is_a_mistake(parts: dict[str, Any]) -> None:
    """When the contract goes on, nothing of the overlay is left behind without a word."""
    with pytest.raises(KeyError, match=r"Thin|get_thin"):
        applied(_document(), _overlay(**parts))


def test_the_contract_stays_as_it_is() -> None:
    """The document that goes in is another than the one that comes out."""
    document = _document()
    applied(document, _overlay(narrowed={"components/schemas/Thing": {"maxProperties": 1}}))
    assert document == _document()


def test_the_query_of_an_operation_is_known() -> None:
    """By name, and whether a parameter may be repeated; the parameters of its path are none of it."""
    assert query_parameters(_document()) == {"get_thing": {"part": True, "deep": False}, "put_thing": {}}
