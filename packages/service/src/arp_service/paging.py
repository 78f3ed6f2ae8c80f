"""Page tokens: opaque to clients, a position for us."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from arp_service.errors import InvalidPageTokenError, InvalidRequestError

if TYPE_CHECKING:
    from starlette.requests import Request

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class Page(msgspec.Struct, frozen=True):
    """What part of a list is asked for: `size` items after position `after`."""

    size: int
    after: str | None


def read_page(request: Request, kind: str) -> Page:
    """Read `page_size` (1 to 1000) and `page_token` from the query.

    Raises:
        InvalidRequestError: the size is no number in range.
        InvalidPageTokenError: the token is not one that `page_token(kind, ...)` made.
    """
    token = request.query_params.get("page_token")
    return Page(
        size=_read_size(request.query_params.get("page_size")),
        after=None if token is None else _read_token(token, kind),
    )


def page_token(kind: str, position: str) -> str:
    """Return the token for the page after `position`."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def _read_size(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE_SIZE
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_PAGE_SIZE:
        return int(text)
    raise InvalidRequestError(f"page_size: use a whole number from 1 to {MAX_PAGE_SIZE}.")


def _read_token(token: str, kind: str) -> str:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as exc:
        raise _bad_token() from exc
    found, separator, position = text.partition(":")
    if found != kind or not separator or page_token(kind, position) != token:
        raise _bad_token()
    return position


def _bad_token() -> InvalidPageTokenError:
    return InvalidPageTokenError(
        "page_token: not a token of this list, as it is asked for; leave it out to start at the first page."
    )
