"""Serving the document of an API, and holding queries against it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route

from arp_runtime.api_document import api_document
from arp_service.admission import OwnUserOnly
from arp_service.application import create_app
from arp_service.peer import PeerLookup, own_uid
from arp_service.responses import StructResponse
from support.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from starlette.requests import Request


DOCUMENT = api_document("Friends get in.")


async def stream_run_events(_request: Request) -> StructResponse:
    return StructResponse([])


async def get_run_status(_request: Request) -> StructResponse:
    return StructResponse([])


async def metrics(_request: Request) -> StructResponse:
    return StructResponse([])


@asynccontextmanager
async def _service() -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route("/events", stream_run_events), Route("/status", get_run_status), Route("/metrics", metrics)]
    with PeerLookup() as lookup:
        async with served(create_app(routes, OwnUserOnly(lookup, own_uid()), DOCUMENT)) as client:
            yield client


async def test_the_document_is_served_like_any_other_answer() -> None:
    """As JSON, to GET and HEAD alone, and behind the door."""
    async with _service() as client:
        document = await client.get("/openapi.json")
        head = await client.head("/openapi.json")
        other = await client.post("/openapi.json")
        by_proxy = await client.get("/openapi.json", headers={"Via": "1.1 proxy"})
    assert document.json() == DOCUMENT.content
    assert document.headers["content-type"] == head.headers["content-type"] == "application/json"
    assert (head.content, head.headers["content-length"]) == (b"", document.headers["content-length"])
    assert (other.status_code, other.headers["allow"]) == (405, "GET, HEAD")
    assert by_proxy.status_code == 401


def test_the_document_tells_who_gets_in() -> None:
    """As the server was started: its own user, and one that was named; a scheme that nobody asks for is not told."""
    with PeerLookup() as lookup:
        document = api_document(OwnUserOnly(lookup, 1000, 33).description).content
    assert "the user 33 and the user 1000 alone" in document["info"]["description"]
    assert document["security"] == []
    assert "securitySchemes" not in document["components"]


@pytest.mark.parametrize(
    ("path", "place", "cure"),
    [
        ("/events?afer=1", "afer", "after"),
        ("/events?after=1&x", "x", "after"),
        ("/events?after=1&after=2", "after", "once"),
        ("/events?%61fter=1&after=1", "after", "once"),
        ("/status?verbose=true", "verbose", "nor any other"),
        ("/status?" + "x" * 500, "x" * 60, "nor any other"),
    ],
)
async def test_a_query_that_would_not_be_understood_is_refused(path: str, place: str, cure: str) -> None:
    """It names the parameter, and those that there are: nobody gets all runs for a slip of the pen in a filter."""
    async with _service() as client:
        response = await client.get(path)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["details"]) == (400, "invalid_request", {"place": place})
    assert error["message"].startswith(f"{place}: ")
    assert cure in error["message"]


@pytest.mark.parametrize("path", ["/events", "/events?", "/events?after=1", "/status?", "/metrics?name[]=a&name[]=b"])
async def test_a_query_that_is_understood_comes_through(path: str) -> None:
    """And what is no operation of the contract reads its query as it likes."""
    async with _service() as client:
        assert (await client.get(path)).status_code == 200
