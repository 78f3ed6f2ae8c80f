"""The document of a service's API: served at `/openapi.json`, and what its requests are held against.

It is read when it is first needed, because few processes are ever asked for it.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from arp_service.admission import TokenUse
from arp_service.errors import InvalidRequestError
from arp_service.overlay import applied, query_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from arp_service.overlay import Overlay

PATH = "/openapi.json"


class ApiDocument:
    """The contract as a package brings it along, under what its service does within it, as it was started."""

    def __init__(self, package: str, overlay: Overlay, who_gets_in: str, token: TokenUse = TokenUse.IGNORED) -> None:
        self._package = package
        self._overlay = overlay
        self._who_gets_in = who_gets_in
        self._token = token

    @cached_property
    def content(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document; it stands alone."""
        stored = files(self._package).joinpath("generated", "openapi.json").read_bytes()
        return applied(msgspec.json.decode(stored, type=dict[str, Any]), self._overlay, self._who_gets_in, self._token)

    def route(self) -> Route:
        """Where it is served."""

        async def get_api_document(_request: Request) -> Response:
            return Response(self._as_json, media_type="application/json")

        return Route(PATH, get_api_document)

    def check_query(self, operation: str, request: Request) -> None:
        """Refuse a query that the operation would not understand: a slip of the pen does not pass in silence.

        What is no operation of the contract may read its query as it likes.

        Raises:
            InvalidRequestError: naming a parameter that it does not have, or has once and was given twice.
        """
        known = self._query.get(operation)
        if known is None:
            return
        given = [name for name, _ in request.query_params.multi_items()]
        for name in given:
            if name not in known:
                raise InvalidRequestError(f"{name[:60]}: {_cure(known)}", details={"place": name[:60]})
            if not known[name] and given.count(name) > 1:
                raise InvalidRequestError(f"{name}: give it once.", details={"place": name})

    @cached_property
    def _as_json(self) -> bytes:
        return msgspec.json.encode(self.content)

    @cached_property
    def _query(self) -> dict[str, dict[str, bool]]:
        return query_parameters(self.content)


def _cure(known: Mapping[str, bool]) -> str:
    if not known:
        return "there is no such parameter here, nor any other."
    return f"there is no such parameter here; there is {', '.join(sorted(known))}."
