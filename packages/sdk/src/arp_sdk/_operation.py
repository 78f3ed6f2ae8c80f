"""What a call is, apart from sending it: values in, values out. Sync and async clients share all of it."""

from __future__ import annotations

import re
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from urllib.parse import quote

import msgspec

from arp_model import UNSET, ErrorEnvelope, Model, RunBatchRequest, RunRequest, decode_lenient
from arp_sdk._retries import parse_retry_after
from arp_sdk._run_ids import new_run_id
from arp_sdk.errors import ArpApiError, ArpRequestError, ArpResponseError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping

T = TypeVar("T")
W = TypeVar("W")

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

_NAMES = {EVENT_STREAM: "an event stream"}

# How much of an answer that is no ErrorEnvelope an error keeps, in characters.
_RAW_LIMIT = 2000


class Operation(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One operation of an API, as its OpenAPI document describes it.

    `response` is the type of a successful answer: NoneType where it has no body, `str` where it is a text of another
    media type than JSON, which may come in pieces over a long time.
    `headers` are the request's fields that go into headers, with the names of those. `repeatable` says that the same
    request does nothing more when it is made again.
    """

    name: str
    method: str
    path: str
    success: int
    response: type[T]
    repeatable: bool
    media_type: str = JSON
    query: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: type[Model] | None = None


class Call(msgspec.Struct, frozen=True):
    """A request that is ready to be sent."""

    method: str
    path: str
    query: dict[str, str | list[str]]
    headers: dict[str, str]
    content: bytes | None


def wrap(wrapper: type[W], argument: Any) -> W:
    """Return the argument as a request object: either it is one, or it is its only field."""
    make = cast("Callable[[Any], W]", wrapper)
    return argument if isinstance(argument, wrapper) else make(argument)


def build_call(operation: Operation[Any], request: object) -> Call:
    """Return what has to be sent. Raises ArpRequestError where the contract does not allow the request."""
    query = {name: getattr(request, name) for name in operation.query}
    given = {header: getattr(request, name) for name, header in operation.headers}
    headers = {header: _header_text(header, value) for header, value in given.items() if value is not None}
    headers["Accept"] = operation.media_type
    content = None
    if operation.body is not None:
        body = read_body(cast("Any", request).body, operation.body)
        content = encode_body(body if "Idempotency-Key" in headers else with_run_id(body), operation.body)
        headers["Content-Type"] = JSON
    return Call(
        method=operation.method,
        path=expand_path(operation.path, request),
        query={name: _query_text(value) for name, value in query.items() if value is not None},
        headers=headers,
        content=content,
    )


def _query_text(value: object) -> str | list[str]:
    """A truth value and a time are written as in JSON; a list is as many parameters of one name."""
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    if isinstance(value, datetime):
        return _time_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise ArpRequestError("invalid_request", f"The time {value} has no zone.")
    return value.isoformat()


def _header_text(name: str, value: object) -> str:
    text = str(value)
    if not text.isascii() or not text.isprintable():
        raise ArpRequestError("invalid_request", f"{name} cannot be sent: it is not printable ASCII.")
    return text


def expand_path(template: str, request: object) -> str:
    """Fill in the names of a path template from the request's fields, each as exactly one segment."""
    return re.sub(r"\{(\w+)\}", lambda match: _escape_segment(match[1], getattr(request, match[1])), template)


def _escape_segment(name: str, value: object) -> str:
    """Return the value percent-escaped, so that it stays one segment whatever is in it."""
    if not isinstance(value, str):
        raise ArpRequestError("invalid_request", f"{name} is to be a text, not {value!r}.")
    if not value:
        raise ArpRequestError("invalid_request", f"{name} is empty.")
    try:
        escaped = quote(value, safe="")
    except UnicodeEncodeError as exc:
        raise ArpRequestError("invalid_request", f"{name} is no Unicode text: {exc.reason}.") from None
    # A segment of dots alone would be taken as a step up, which quoting does not prevent.
    return escaped.replace(".", "%2E") if set(escaped) == {"."} else escaped


def read_body(body: object, type_: type[Model]) -> object:
    """Return a plain dict as the document that it stands for, and anything else as it is.

    The types say that it is to be a model; but 0.1.0 took a dict for a run, and programs count on it.
    """
    if not isinstance(body, dict):
        return body
    try:
        return type_.from_dict(body)
    except msgspec.ValidationError as exc:
        raise ArpRequestError("invalid_request", f"{type_.__name__} cannot be sent: {exc}") from exc


def with_run_id(body: object) -> object:
    """Return a copy that says what each of its runs is called, so that it can be sent again and is no other run.

    What is no request for runs, or has all its ids, is returned as it is.
    """
    if isinstance(body, RunRequest) and body.run_id is UNSET:
        return msgspec.structs.replace(body, run_id=new_run_id())
    if isinstance(body, RunBatchRequest) and isinstance(body.runs, list):
        return msgspec.structs.replace(body, runs=[with_run_id(run) for run in body.runs])
    return body


def encode_body(body: object, type_: type[Model]) -> bytes:
    """Return the body as JSON. Reads it back strictly, because constructing a model checks nothing."""
    if not isinstance(body, type_):
        raise TypeError(f"expected {type_.__name__}, got {type(body).__name__}")
    try:
        content = body.to_json()
        type_.from_json(content)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as exc:
        raise ArpRequestError("invalid_request", f"{type_.__name__} cannot be sent: {exc}") from exc
    return content


def read_answer(
    operation: Operation[T],
    status: int,
    headers: Mapping[str, str],
    content: bytes,
    *,
    unknown: Counter[str] | None = None,
    exact: bool = False,
) -> T:
    """Return what a successful answer says. Raises ArpApiError for any other answer.

    Unknown fields are left out and counted in `unknown`. `exact` refuses a success with another status than the
    documented one.
    """
    if not 200 <= status < 300 or (exact and status != operation.success):
        raise read_error(status, headers, content, unknown)
    if operation.response is NoneType:
        return cast("T", None)
    if operation.response is str:
        return cast("T", read_text(operation.media_type, status, headers, content))
    try:
        return decode_lenient(content, operation.response, unknown)
    except msgspec.DecodeError as exc:
        raise ArpResponseError(
            "invalid_response",
            f"The answer to {operation.name} is not what the contract promises: {exc}",
            status_code=status,
            raw=_start_of(content),
        ) from exc


def read_text(expected: str, status: int, headers: Mapping[str, str], content: bytes) -> str:
    """Return the text of an answer. Raises ArpResponseError where it is not of the media type that was asked for."""
    require_media_type(expected, status, headers)
    return content.decode("utf-8", "replace")


def require_media_type(expected: str, status: int, headers: Mapping[str, str]) -> None:
    """Raise ArpResponseError unless the answer declares itself to be of this media type."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != expected:
        message = f"The answer is {media_type or 'untyped'} instead of {_NAMES.get(expected, expected)}."
        raise ArpResponseError("invalid_response", message, status_code=status)


def read_error(
    status: int, headers: Mapping[str, str], content: bytes, unknown: Counter[str] | None = None
) -> ArpApiError:
    """Return the error that an unsuccessful answer stands for."""
    retry_after = parse_retry_after(headers.get("retry-after"))
    try:
        envelope = decode_lenient(content, ErrorEnvelope, unknown)
        raw = msgspec.json.decode(content)
    except msgspec.DecodeError:
        message = f"The service answered with status {status} and no ErrorEnvelope."
        raw = _start_of(content)
        return ArpResponseError("unexpected_status", message, status_code=status, raw=raw, retry_after=retry_after)
    error = envelope.error
    details = None if error.details is msgspec.UNSET else error.details
    return ArpApiError(error.code, error.message, details=details, status_code=status, raw=raw, retry_after=retry_after)


def _start_of(content: bytes) -> str:
    return content[: 4 * _RAW_LIMIT].decode("utf-8", "replace")[:_RAW_LIMIT]
