"""A request and its answer, to be shown to people: short, and without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import httpx

_MAX_CHARS = 600
_HIDDEN = "[hidden]"
# Headers that say something about a request which its method, path and body do not.
_TELLING = ("content-type", "host", "origin", "accept", "last-event-id", "idempotency-key", "forwarded", "via")
_USUAL = {"content-type": "application/json", "accept": "*/*"}


class Exchange(NamedTuple):
    """What was sent, and what came back."""

    method: str
    url: str
    headers: dict[str, str]
    body: str
    status: int
    answer: str


def exchange_of(response: httpx.Response, secrets: tuple[str, ...] = ()) -> Exchange:
    """Make one of an answer that has been read, or is a stream that is not read here."""
    request = response.request
    own_host = request.url.netloc.decode()
    headers = {
        name: value
        for name, value in request.headers.items()
        if (name in _TELLING or name.startswith("x-")) and value not in (_USUAL.get(name), own_host)
    }
    if "authorization" in request.headers:
        headers["authorization"] = _HIDDEN
    return Exchange(
        request.method,
        _shown(request.url.raw_path.decode("ascii", "replace"), secrets),
        {name: _shown(value, secrets) for name, value in headers.items()},
        _shown(_sent(request), secrets),
        response.status_code,
        _shown(_received(response), secrets),
    )


def read_json(response: httpx.Response) -> Any:
    """Return the document in an answer that has been read.

    Raises:
        ValueError: it is no JSON, or nested so deep that it cannot be read.
    """
    try:
        return response.json()
    except RecursionError as exc:
        raise ValueError("it is nested too deep to be read") from exc


def _sent(request: httpx.Request) -> str:
    try:
        return request.content.decode("utf-8", "replace")
    except RuntimeError:  # httpx.RequestNotRead, of a body that came in pieces
        return "(sent in pieces)"


def _received(response: httpx.Response) -> str:
    if not response.is_stream_consumed:
        return f"({response.headers.get('content-type', 'no content type')}, a stream)"
    return response.content.decode("utf-8", "replace") or "(no body)"


def _shown(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    left = len(text) - _MAX_CHARS
    return text if left <= 0 else f"{text[:_MAX_CHARS]}... ({left} more)"
