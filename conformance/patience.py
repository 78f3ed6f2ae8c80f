"""How long an answer may take, as a whole: httpx bounds each piece alone, so one that trickles would never end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long any answer may take; launching an instance is the slowest.
ANSWER_TIMEOUT_S = 40
# Bodies that come as they happen, and may have no end.
STREAMED = ("text/event-stream", "application/x-ndjson", "text/plain")


class PatientTransport(httpx.HTTPTransport):
    """Gives up on a body that has not come whole in time; but a stream may go on."""

    def __init__(self, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        super().__init__(trust_env=False)
        self._answer_timeout_s = answer_timeout_s

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.BaseTransport.handle_request`."""
        deadline = time.monotonic() + self._answer_timeout_s
        response = super().handle_request(request)
        if not (response.is_success and response.headers.get("content-type", "").lower().startswith(STREAMED)):
            assert isinstance(response.stream, httpx.SyncByteStream)
            response.stream = _Bounded(response.stream, deadline, request)
        return response


class _Bounded(httpx.SyncByteStream):
    def __init__(self, body: httpx.SyncByteStream, deadline: float, request: httpx.Request) -> None:
        self._body = body
        self._deadline = deadline
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            yield piece
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer has no end", request=self._request)

    def close(self) -> None:
        self._body.close()
