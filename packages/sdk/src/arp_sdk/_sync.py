"""The blocking client: sends what `_operation` builds, through httpx."""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from arp_sdk._http import client_options, map_httpx_errors, stream_timeout
from arp_sdk._operation import build_call, read_answer, read_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from arp_sdk._operation import Call, Operation

T = TypeVar("T")


class SyncClient:
    """What the blocking clients share. Close it, or use it in a `with` statement; it may be used by many threads."""

    def __init__(
        self,
        base_url: str | None = None,
        *,
        client: httpx.Client | None = None,
        timeout: httpx.Timeout | float | None = None,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        verify_ssl: Any = True,
        follow_redirects: bool = False,
        raise_on_unexpected_status: bool = False,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """Take either the service's address or an `httpx.Client` that has it, which stays the caller's to close.

        `timeout` is in seconds (None: 30, and 5 to connect). `httpx_args` go to `httpx.Client` and win over all
        else. `raise_on_unexpected_status` refuses any success but the documented one.
        """
        if client is not None and base_url is not None:
            raise ValueError("give either base_url or client, which has an address of its own")
        self._owned = client is None
        self._strict = raise_on_unexpected_status
        self._client = client or httpx.Client(
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
        if self._owned:
            # A short program does not bother to close its client; its connections shall not outlive it all the same.
            weakref.finalize(self, self._client.close)

    @property
    def raw_client(self) -> httpx.Client:
        """The httpx client underneath."""
        return self._client

    def close(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        if self._owned:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, operation: Operation[T], request: object) -> T:
        call = build_call(operation, request)
        timeout = self._client.timeout
        with map_httpx_errors():
            response = self._client.request(
                call.method,
                call.path,
                params=call.query,
                headers=call.headers,
                content=call.content,
                timeout=stream_timeout(timeout) if operation.response is str else timeout,
            )
        return read_answer(operation, response.status_code, response.headers, response.content, exact=self._strict)

    @contextmanager
    def _stream(self, call: Call, *, silent: bool = False) -> Iterator[httpx.Response]:
        """Open a stream. Raises ArpApiError where the answer is an error, and when the connection breaks.

        A `silent` one has no sign of life of its own, so its silence means nothing.
        """
        timeout = stream_timeout(self._client.timeout, silent=silent)
        with (
            map_httpx_errors(),
            self._client.stream(
                call.method, call.path, params=call.query, headers=call.headers, timeout=timeout
            ) as response,
        ):
            if not response.is_success:
                raise read_error(response.status_code, response.read())
            yield response
