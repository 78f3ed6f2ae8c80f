"""Putting a service's routes behind the door, with every error an ErrorEnvelope."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match, Route

from arp_service.door import Door
from arp_service.errors import InternalError, MethodNotAllowedError, NotFoundError, ServiceError
from arp_service.responses import StructResponse, error_response
from arp_service.turns import TakeTurns
from arp_service.unread_body import UnreadBody

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from arp_service.api_document import ApiDocument

_log = structlog.get_logger(__name__)


# Asked by those who decide whether the service still lives, most of all when it has much to do.
_URGENT = frozenset({"/v1/health"})


class IdConvertor(Convertor[str]):
    """A path segment that is an id: it ends at `/` and at `:`, so that `{run_id:id}:cancel` is told apart."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """Ids are strings as they stand."""
        return value

    def to_string(self, value: str) -> str:
        """Ids are strings as they stand."""
        return value


register_url_convertor("id", IdConvertor())


class Boundary:
    """ASGI middleware, outside of door and routes: a bug is logged once and answered without a word of the inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer what nobody caught."""
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            _log.debug("client_left", path=scope.get("path"))
        except Exception as error:
            if started:  # too late for an answer: the server must break the connection
                raise
            _log.exception("bug", path=scope.get("path"), error=repr(error))
            await error_response(InternalError())(scope, receive, send)


def create_app(
    routes: Sequence[Route],
    admit: Callable[[Scope, Headers], None],
    document: ApiDocument | None = None,
    allowed_hosts: Collection[str] = (),
) -> Starlette:
    """Return the ASGI app: the door first, then the routes, and errors answered in one place.

    With a `document` it is served as well, and the queries of its operations are held against it. `allowed_hosts` are
    what requests may call this machine beside loopback (`arp_service.door.read_host`).
    """
    served = [_operation(route, document) for route in routes]
    if document is not None:
        served.append(document.route())
    return _App(served, partial(Door, admit=admit, allowed_hosts=allowed_hosts))


class _App(Starlette):
    """Starlette without what it would do for each request a second time: `Boundary` is what answers for bugs."""

    def __init__(self, routes: Sequence[Route], door: Callable[[ASGIApp], ASGIApp]) -> None:
        super().__init__(routes=routes)
        self.router.redirect_slashes = False
        self._door = door

    def build_middleware_stack(self) -> ASGIApp:
        """All that a request goes through, from the inside out."""
        handlers = {ServiceError: _answer_service_error, HTTPException: _answer_http_exception}
        inside = self._door(ExceptionMiddleware(self.router, handlers))
        return TakeTurns(UnreadBody(Boundary(inside)), _URGENT)


class _Operation:
    """An endpoint, as the ASGI app that a route has. Its errors are for the app's one place for them.

    A query is refused that the operation of this name would not understand.
    """

    def __init__(
        self, name: str, endpoint: Callable[[Request], Awaitable[Response]], document: ApiDocument | None
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._document = document

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        if scope["query_string"] and self._document is not None:
            self._document.check_query(self._name, request)
        response = await self._endpoint(request)
        await response(scope, receive, send)


def _operation(route: Route, document: ApiDocument | None) -> Route:
    """The route, served by an `_Operation`."""
    app = _Operation(route.name, route.endpoint, document)
    return Route(route.path, app, methods=route.methods, name=route.name)


async def _answer_service_error(request: Request, error: Exception) -> StructResponse:
    assert isinstance(error, ServiceError)
    if error.status >= 500:
        _log.warning("request_refused", path=request.url.path, code=error.code, message=error.message)
    return error_response(error)


async def _answer_http_exception(request: Request, error: Exception) -> StructResponse:
    """Starlette's own: an unknown path or a wrong method."""
    path = request.url.path[:200]
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = ", ".join(sorted(_allowed_methods(request)))
        message = f"{path} does not answer to {request.method}; it does to {allow}."
        return error_response(MethodNotAllowedError(message, headers={"Allow": allow}))
    return error_response(NotFoundError(f"Nothing is served at {path}."))


def _allowed_methods(request: Request) -> set[str]:
    """The methods of all routes that have this path (RFC 9110, 15.5.6)."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found
