"""A text that comes in pieces, for as long as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_starlette import EventSourceResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLAIN_TEXT = "text/plain; charset=utf-8"
# A reader that takes nothing for so long is dropped.
_SEND_TIMEOUT_S = 30


def text_response(pieces: AsyncIterator[bytes]) -> EventSourceResponse:
    """Send pieces of UTF-8 as they come, until they end or the reader leaves.

    It is no event stream, but ends as one does: with the reader's connection, even while nothing comes, and when
    the reader does not read. Nothing is sent that is not text, so there is no sign of life either.
    """
    headers = {"X-Content-Type-Options": "nosniff"}
    return EventSourceResponse(pieces, headers=headers, media_type=PLAIN_TEXT, ping=0, send_timeout=_SEND_TIMEOUT_S)
