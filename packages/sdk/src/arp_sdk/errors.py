"""Everything that goes wrong in a call.

ArpApiError             the service answered with an error
├── ArpRequestError     the request is not what the contract allows, and was not sent
├── ArpConnectionError  there is no connection (`connection_failed`: nothing was sent), or it broke
│                       (`connection_lost`: whether the request was carried out is not known)
├── ArpTimeoutError     the request was sent, and no answer came in time
└── ArpResponseError    the answer is not what the contract promises
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArpApiError",
    "ArpConnectionError",
    "ArpRequestError",
    "ArpResponseError",
    "ArpTimeoutError",
]


class ArpApiError(RuntimeError):
    """A call failed. `code` is stable and for programs; `message` is for people, and may change.

    `status_code` is the HTTP status, where there was an answer. `raw` is the answer's body: the decoded
    ErrorEnvelope, or text where it is not one. `retry_after` is how many seconds to wait before another try, where the
    answer says.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Any | None = None,
        status_code: int | None = None,
        raw: Any | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details = details
        self.status_code = status_code
        self.raw = raw
        self.retry_after = retry_after

    def __str__(self) -> str:
        status = "" if self.status_code is None else f"[{self.status_code}] "
        return f"{status}{self.code}: {self.message}"

    @property
    def retryable(self) -> bool | None:
        """Whether the same call may succeed later, as the service says; None where it does not say."""
        error = self.raw.get("error") if isinstance(self.raw, dict) else None
        retryable = error.get("retryable") if isinstance(error, dict) else None
        return retryable if isinstance(retryable, bool) else None


class ArpRequestError(ArpApiError):
    """The request is not what the contract allows, and was not sent. Raised before anything is sent."""


class ArpConnectionError(ArpApiError):
    """The service could not be reached, or the connection broke while it was to answer."""


class ArpTimeoutError(ArpApiError):
    """The service took longer to answer than the client's timeout allows."""


class ArpResponseError(ArpApiError):
    """Something answered, but not as the contract promises. It may be no ARP service at all."""
