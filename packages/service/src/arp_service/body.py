"""Request bodies: bounded in size and time, decoded straight into the generated type."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from arp_service.errors import (
    BodyTimeoutError,
    BodyTooLargeError,
    InvalidJsonError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
)
from arp_service.exchange import BODY_HAS_COME

if TYPE_CHECKING:
    from starlette.requests import Request

    from arp_model import Model

M = TypeVar("M", bound="Model")

MAX_BODY_BYTES = 4 * 1024 * 1024
# msgspec gives up at about 1,000 levels; what is accepted must still fit into other documents.
MAX_DEPTH = 256
# Brackets count that stand in no string. Of a large document first goes what is escaped and could be taken for a
# quote, then all but brackets and quotes, at the speed of memory; then the strings.
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"'))
_STRING = re.compile(rb'"[^"]*"')
_OPENING = b"[{"
# So much of a body that is too large is still read, and thrown away: a sender that is cut off in the middle sees a
# broken connection and not the answer.
_MAX_DISCARDED_BYTES = 64 * 1024 * 1024
# A client that sends slower than this holds a connection for nothing.
_BODY_TIMEOUT_S = 30.0


async def read_body(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLargeError: it is, or says it is, longer than `max_bytes`.
        BodyTimeoutError: it did not arrive within 30 s.
    """
    if _declared_bytes(request) > max_bytes + _MAX_DISCARDED_BYTES:
        raise _too_large(max_bytes)
    if request.scope.get(BODY_HAS_COME):
        return await _collect(request, max_bytes)
    try:
        # Not anyio's: 5 us instead of 12, for a wait that hardly ever happens.
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            return await _collect(request, max_bytes)
    except TimeoutError as exc:
        raise BodyTimeoutError(f"The request body did not arrive within {_BODY_TIMEOUT_S:.0f} s.") from exc


async def read_struct(request: Request, type_: type[M], max_bytes: int = MAX_BODY_BYTES) -> M:
    """Read the body and decode it into `type_`, strictly.

    Raises:
        UnsupportedMediaTypeError: the content type is not application/json.
        InvalidJsonError: the body is not JSON, or nests too deep.
        InvalidRequestError: it is JSON of another shape; the message names the place.
    """
    require_json(request)
    return decode_struct(await read_body(request, max_bytes), type_)


def require_json(request: Request) -> None:
    """Refuse a body that a cross-site form could send."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaTypeError("Send the body with 'Content-Type: application/json'.")


def nests_too_deep(text: bytes) -> bool:
    """Whether JSON nests deeper than it could safely be decoded and shown again, inside of other documents."""
    if len(text) <= MAX_DEPTH or text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return False
    text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    depth = 0
    for mark in _STRING.sub(b"", text.translate(None, _NO_MARKS)):
        depth += 1 if mark in _OPENING else -1
        if depth > MAX_DEPTH:
            return True
    return False


def decode_struct(body: bytes, type_: type[M]) -> M:
    """Decode JSON into `type_`; see `read_struct` for the errors."""
    if nests_too_deep(body):
        raise InvalidJsonError(f"The body nests deeper than {MAX_DEPTH} levels.")
    try:
        return type_.from_json(body)
    except msgspec.ValidationError as exc:
        raise InvalidRequestError(f"{exc}.") from exc
    except msgspec.DecodeError as exc:
        raise InvalidJsonError(f"The body is not valid JSON: {exc}.") from exc


def _declared_bytes(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared[:20]) if declared.isascii() and declared.isdigit() else 0


async def _collect(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes + _MAX_DISCARDED_BYTES:
            break
        if size > max_bytes:
            chunks.clear()
        else:
            chunks.append(chunk)
    if size > max_bytes:
        raise _too_large(max_bytes)
    return b"".join(chunks)


def _too_large(max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"The request body is over the limit of {max_bytes} bytes.", details={"max_bytes": max_bytes}
    )
