"""The async client: sends what `_operation` builds, through httpx."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from arp_sdk._cookies import AsyncHttpxClient
from arp_sdk._http import (
    bounded_timeout,
    build_request,
    client_options,
    map_httpx_errors,
    out_of_time,
    stream_timeout,
    total_limit,
)
from arp_sdk._operation import build_call, read_answer, read_error
from arp_sdk._release import release_later
from arp_sdk._retries import DEFAULT_RETRIES, Tries
from arp_sdk._tokens import find_token
from arp_sdk.clients import ConnectionSettings
from arp_sdk.errors import ArpApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    import httpx
    from typing_extensions import Self

    from arp_sdk._operation import Call, Operation

T = TypeVar("T")


class AsyncClient:
    """What the async clients share. Close it, or use it in an `async with` statement; many tasks may use it."""

    _service: ClassVar[str]

    def __init__(
        self,
        base_url: str | None = None,
        *,
        client: httpx.AsyncClient | ConnectionSettings | None = None,
        timeout: httpx.Timeout | float | None = None,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        verify_ssl: Any = True,
        follow_redirects: bool = False,
        raise_on_unexpected_status: bool = False,
        httpx_args: dict[str, Any] | None = None,
        token: str | None = None,
        retries: int = DEFAULT_RETRIES,
        total_timeout: float | None = None,
    ) -> None:
        """Take either the service's address or an `httpx.AsyncClient` that has it, which stays the caller's to close.

        `timeout` is in seconds (None: 30 for each wait, and 5 to connect), and `total_timeout` bounds a call with all
        its tries (None: 120; `math.inf`: nothing). `retries` is how often a call is tried again, where that is safe.
        `token` is sent as bearer token; None looks for one (docs/sdk.md), and an empty one is none.
        `raise_on_unexpected_status` refuses any success but the documented one. `httpx_args` go to
        `httpx.AsyncClient` and win over all else.
        """
        if client is not None and base_url is not None:
            raise ValueError("give either base_url or client, which has an address of its own")
        self._owned = client is None
        self._strict = raise_on_unexpected_status
        if isinstance(client, ConnectionSettings):
            # Its connections are closed with it.
            self._settings = client
            self._strict = self._strict or client.raise_on_unexpected_status
            client = client.get_async_httpx_client()
        self._client = client or AsyncHttpxClient(
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
            release_later(self, self._client)
        # A client of the caller's own has the headers that the caller gave it.
        self._token = find_token(self._service, self._client.base_url, token if self._owned else token or "")
        self._retries = retries
        self._total_timeout = total_timeout
        self.unknown_fields: Counter[str] = Counter()
        """How often answers had fields that this release does not know, by `Type.field`; they are ignored."""

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

    async def _call(self, operation: Operation[T], request: object, *, patience: float = math.inf) -> T:
        """Make a call, again where that is safe, and return what its answer says. Raises ArpApiError.

        It takes no longer than `patience`, in seconds, and no longer than the client's total timeout.
        """
        call = build_call(operation, request)
        in_pieces = operation.response is str
        timeout = stream_timeout(self._client.timeout) if in_pieces else self._client.timeout
        total = min(patience, math.inf if in_pieces else total_limit(self._total_timeout, timeout))
        tries = Tries(self._retries, call.method, repeatable=operation.repeatable, total=total)
        import anyio  # noqa: PLC0415 - only who awaits needs it, and it takes as long to import as all of this package

        with anyio.move_on_after(total):
            return await self._try(operation, call, timeout, tries)
        raise out_of_time(total)

    async def _try(self, operation: Operation[T], call: Call, timeout: httpx.Timeout, tries: Tries) -> T:
        began = time.monotonic()
        while True:
            try:
                answer = await self._send(call, timeout)
                return read_answer(operation, *answer, unknown=self.unknown_fields, exact=self._strict)
            except ArpApiError as error:
                if tries.is_done(error):
                    return cast("T", None)
                wait = tries.wait_after(error, time.monotonic() - began, random.random())  # noqa: S311 - no secret
            await self._pause(wait)

    async def _send(self, call: Call, timeout: httpx.Timeout) -> tuple[int, httpx.Headers, bytes]:
        """Send once, and read the whole answer."""
        request = build_request(self._client, call, self._token, timeout)
        with map_httpx_errors():
            response = await self._client.send(request)
        return response.status_code, response.headers, response.content

    async def _pause(self, seconds: float) -> None:
        import anyio  # noqa: PLC0415 - as above

        await anyio.sleep(seconds)

    @asynccontextmanager
    async def _stream(
        self, call: Call, *, silent: bool = False, patience: float = math.inf
    ) -> AsyncIterator[httpx.Response]:
        """Open a stream. Raises ArpApiError where the answer is an error, and when the connection breaks.

        A `silent` one has no sign of life of its own, so its silence means nothing. No wait for it is longer than
        `patience`, in seconds.
        """
        timeout = bounded_timeout(stream_timeout(self._client.timeout, silent=silent), patience)
        request = build_request(self._client, call, self._token, timeout)
        with map_httpx_errors():
            async with aclosing(await self._client.send(request, stream=True)) as response:
                if not response.is_success:
                    raise read_error(
                        response.status_code, response.headers, await response.aread(), self.unknown_fields
                    )
                yield response
