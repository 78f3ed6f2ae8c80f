"""What an instance answers, bounded in bytes and in time, however slowly or endlessly it talks.

httpx bounds the wait for each piece of an answer, not the whole, and neither its length. Here a call's read timeout
is the time for all of its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

T = TypeVar("T")

# The largest thing that a runtime has to say is one event, or the result that it brings.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
# For a request that comes without a timeout.
_DEFAULT_TIMEOUT_S = 30.0


async def _by(ends_at: float, waiting: Awaitable[T], request: httpx.Request) -> T:
    """What is waited for, if it comes in time."""
    try:
        with anyio.fail_after(max(ends_at - anyio.current_time(), 0.0)):
            return await waiting
    except TimeoutError as exc:
        raise httpx.ReadTimeout("the answer takes too long", request=request) from exc


class BoundedTransport(httpx.AsyncBaseTransport):
    """Around another transport. What is over a bound is an `httpx` error of the request, like any other."""

    def __init__(self, inner: httpx.AsyncBaseTransport, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._inner = inner
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return the head of the answer, with its body still to come."""
        time_s = request.extensions.get("timeout", {}).get("read") or _DEFAULT_TIMEOUT_S
        ends_at = anyio.current_time() + time_s
        response = await _by(ends_at, self._inner.handle_async_request(request), request)
        if response.headers.get("content-encoding", "identity") != "identity":
            # A few bytes can stand for gigabytes; nobody asked for that.
            await response.aclose()
            raise httpx.DecodingError("the answer is compressed", request=request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _BoundedStream(response.stream, self._max_bytes, ends_at, request)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, max_bytes: int, ends_at: float, request: httpx.Request) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._ends_at = ends_at
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        chunks = aiter(self._inner)
        while True:
            chunk = await _by(self._ends_at, anext(chunks, None), self._request)
            if chunk is None:
                return
            size += len(chunk)
            if size > self._max_bytes:
                raise httpx.DecodingError(f"the answer is over {self._max_bytes} bytes", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
