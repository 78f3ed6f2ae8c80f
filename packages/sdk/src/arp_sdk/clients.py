"""The settings of a connection, apart from the client that uses it, as arp-standard-py 0.1.0 has them.

One is given to a client of ours as `client`, and is the caller's to close. Who has none from before needs none: a
client takes the same settings itself.
"""

from __future__ import annotations

import copy
import weakref
from typing import TYPE_CHECKING, Any

from arp_sdk._cookies import AsyncHttpxClient
from arp_sdk._http import client_options, make_client
from arp_sdk._release import release_later

if TYPE_CHECKING:
    from types import TracebackType

    import httpx
    from typing_extensions import Self

__all__ = [
    "DaemonAuthenticatedClient",
    "DaemonClient",
    "RuntimeAuthenticatedClient",
    "RuntimeClient",
    "ToolRegistryAuthenticatedClient",
    "ToolRegistryClient",
]


class ConnectionSettings:
    """Makes httpx clients when they are asked for. Close them with `with`, or `async with`."""

    def __init__(
        self,
        base_url: str,
        *,
        raise_on_unexpected_status: bool = False,
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | float | None = None,
        verify_ssl: Any = True,
        follow_redirects: bool = False,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """Take what the clients of this package take; their docstrings say what it means."""
        self.raise_on_unexpected_status = raise_on_unexpected_status
        self._base_url = base_url
        self._options: dict[str, Any] = {
            "cookies": dict(cookies or {}),
            "headers": dict(headers or {}),
            "timeout": timeout,
            "verify_ssl": verify_ssl,
            "follow_redirects": follow_redirects,
            "httpx_args": dict(httpx_args or {}),
        }
        self._client: httpx.Client | None = None
        self._async_client: httpx.AsyncClient | None = None

    def with_headers(self, headers: dict[str, str]) -> Self:
        """Return one that sends these headers as well."""
        return self._with(headers={**self._options["headers"], **headers})

    def with_cookies(self, cookies: dict[str, str]) -> Self:
        """Return one that sends these cookies as well."""
        return self._with(cookies={**self._options["cookies"], **cookies})

    def with_timeout(self, timeout: httpx.Timeout | float) -> Self:
        """Return one with another timeout."""
        return self._with(timeout=timeout)

    def _with(self, **options: Any) -> Self:
        made = copy.copy(self)
        made._options = {**self._options, **options}  # noqa: SLF001 - of its own kind
        made._client = made._async_client = None  # noqa: SLF001 - of its own kind
        return made

    def _httpx_options(self) -> dict[str, Any]:
        return client_options(self._base_url, **self._options)

    def get_httpx_client(self) -> httpx.Client:
        """Return the httpx client, which is made once."""
        if self._client is None:
            self._client = make_client(self._httpx_options())
            weakref.finalize(self, self._client.close)
        return self._client

    def set_httpx_client(self, client: httpx.Client) -> Self:
        """Use this httpx client, which has settings of its own."""
        self._client = client
        return self

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """Return the async httpx client, which is made once."""
        if self._async_client is None:
            self._async_client = AsyncHttpxClient(**self._httpx_options())
            release_later(self, self._async_client)
        return self._async_client

    def set_async_httpx_client(self, async_client: httpx.AsyncClient) -> Self:
        """Use this async httpx client, which has settings of its own."""
        self._async_client = async_client
        return self

    def __enter__(self) -> Self:
        self.get_httpx_client()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.get_httpx_client().close()

    async def __aenter__(self) -> Self:
        self.get_async_httpx_client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.get_async_httpx_client().aclose()


class AuthenticatedSettings(ConnectionSettings):
    """The same, with a token that goes with every request."""

    def __init__(
        self,
        base_url: str,
        token: str,
        prefix: str = "Bearer",
        auth_header_name: str = "Authorization",
        *,
        raise_on_unexpected_status: bool = False,
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | float | None = None,
        verify_ssl: Any = True,
        follow_redirects: bool = False,
        httpx_args: dict[str, Any] | None = None,
    ) -> None:
        """Send `token`, after the word `prefix` where that is not empty, in the header `auth_header_name`."""
        super().__init__(
            base_url,
            raise_on_unexpected_status=raise_on_unexpected_status,
            cookies=cookies,
            headers=headers,
            timeout=timeout,
            verify_ssl=verify_ssl,
            follow_redirects=follow_redirects,
            httpx_args=httpx_args,
        )
        self.token = token
        self.prefix = prefix
        self.auth_header_name = auth_header_name

    def _httpx_options(self) -> dict[str, Any]:
        value = f"{self.prefix} {self.token}" if self.prefix else self.token
        headers = {**self._options["headers"], self.auth_header_name: value}
        return client_options(self._base_url, **{**self._options, "headers": headers})


class DaemonClient(ConnectionSettings):
    """For `arp_sdk.daemon`."""


class DaemonAuthenticatedClient(AuthenticatedSettings):
    """For `arp_sdk.daemon`."""


class RuntimeClient(ConnectionSettings):
    """For `arp_sdk.runtime`."""


class RuntimeAuthenticatedClient(AuthenticatedSettings):
    """For `arp_sdk.runtime`."""


class ToolRegistryClient(ConnectionSettings):
    """For `arp_sdk.tool_registry`."""


class ToolRegistryAuthenticatedClient(AuthenticatedSettings):
    """For `arp_sdk.tool_registry`."""
