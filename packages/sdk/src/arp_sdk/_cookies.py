"""httpx clients that look for cookies in an answer only where it sets some.

httpx makes a request and an answer of urllib's of each of its own to look: 50 us, a sixth of a short call's CPU time.
What a service sets is kept, and sent again, all the same.
"""

from __future__ import annotations

from typing import Any

import httpx

__all__ = ["AsyncHttpxClient", "HttpxClient"]


class _Cookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Take the cookies that an answer sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response)


class _CookieKeeper:
    """What both clients do with their cookies."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cookies = options.get("cookies")

    @property
    def cookies(self) -> httpx.Cookies:
        """See httpx."""
        return self._kept_cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._kept_cookies = _Cookies(httpx.Cookies(cookies).jar)


class HttpxClient(_CookieKeeper, httpx.Client):
    """A blocking client."""


class AsyncHttpxClient(_CookieKeeper, httpx.AsyncClient):
    """An async client."""
