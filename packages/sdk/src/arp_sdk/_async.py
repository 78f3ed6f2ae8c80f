"""The async client: sends what `_operation` builds, through httpx."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from arp_sdk._http import client_options, map_httpx_errors, stream_timeout
from arp_sdk._operation import build_call, read_answer, read_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from typing_extensions import Self

    from arp_sdk._operation import Call, Operation

T = TypeVar("T")


class AsyncClient:
    """What the async clients share. Close it, or use it in an `async with` statement; many tasks may use it."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        client: httpx.AsyncClient | None = None,
        timeout: httpx.Timeout | float | None = None,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        verify_ssl: Any = True,
        follow_redirects: bool = False,
        raise_on_unexpected_status: bool = False,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """Take either the service's address or an `httpx.AsyncClient` that has it, which stays the caller's to close.

        `timeout` is in seconds (None: 30, and 5 to connect). `httpx_args` go to `httpx.AsyncClient` and win over all
        else. `raise_on_unexpected_status` refuses any success but the documented one.
        """
        if client is not None and base_url is not None:
            raise ValueError("give either base_url or client, which has an address of its own")
        self._owned = client is None
        self._strict = raise_on_unexpected_status
        self._client = client or httpx.AsyncClient(
            **client_options(
                base_url,
                timeout=timeout,
                headers=headers,
                cookies=cookies,
                verify_ssl=verify_ssl,
                follow_redirects=follow_redirects,
                httpx_args=httpx_args,
            )
        )

    @property
    def raw_client(self) -> httpx.AsyncClient:
        """The httpx client underneath."""
        return self._client

    async def aclose(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        if self._owned:
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _call(self, operation: Operation[T], request: object) -> T:
        call = build_call(operation, request)
        timeout = self._client.timeout
        with map_httpx_errors():
            response = await self._client.request(
                call.method,
                call.path,
                params=call.query,
                headers=call.headers,
                content=call.content,
                timeout=stream_timeout(timeout) if operation.response is str else timeout,
            )
        return read_answer(operation, response.status_code, response.headers, response.content, exact=self._strict)

    @asynccontextmanager
    async def _stream(self, call: Call, *, silent: bool = False) -> AsyncIterator[httpx.Response]:
        """Open a stream. Raises ArpApiError where the answer is an error, and when the connection breaks.

        A `silent` one has no sign of life of its own, so its silence means nothing.
        """
        timeout = stream_timeout(self._client.timeout, silent=silent)
        with map_httpx_errors():
            async with self._client.stream(
                call.method, call.path, params=call.query, headers=call.headers, timeout=timeout
            ) as response:
                if not response.is_success:
                    raise read_error(response.status_code, await response.aread())
                yield response
