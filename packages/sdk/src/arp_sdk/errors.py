"""Everything that goes wrong in a call.

ArpApiError             the service answered with an error
├── ArpRequestError     the request is not what the contract allows, and was not sent
├── ArpConnectionError  there is no connection (`connection_failed`: nothing was sent), or it broke
│                       (`connection_lost`: whether the request was carried out is not known)
├── ArpTimeoutError     the request was sent, and no answer came in time
│   └── ArpWaitTimeoutError  the run that was waited for has not ended in the time given; it goes on
├── ArpResponseError    the answer is not what the contract promises
└── ArpRunError         the run ended, and did not succeed
    ├── ArpRunFailedError
    └── ArpRunCanceledError
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arp_model import ErrorDetail

if TYPE_CHECKING:
    from arp_model import RunResult, RunStatus

__all__ = [
    "ArpApiError",
    "ArpConnectionError",
    "ArpRequestError",
    "ArpResponseError",
    "ArpRunCanceledError",
    "ArpRunError",
    "ArpRunFailedError",
    "ArpTimeoutError",
    "ArpWaitTimeoutError",
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


class ArpWaitTimeoutError(ArpTimeoutError):
    """A run had not ended when the time to wait for it was over. It goes on, and can be waited for again.

    `status` is what was last heard of it; None where nothing was.
    """

    def __init__(self, run_id: str, timeout: float, status: RunStatus | None = None) -> None:
        state = "" if status is None else f"; it is {status.state}"
        super().__init__("wait_timeout", f"Run {run_id!r} has not ended within {timeout:g} s{state}.")
        self.run_id = run_id
        self.timeout = timeout
        self.status = status

    def __reduce__(self) -> tuple[type[ArpWaitTimeoutError], tuple[Any, ...]]:
        return type(self), (self.run_id, self.timeout, self.status)


class ArpRunError(ArpApiError):
    """A run ended, and did not succeed. Code, message, details and `retryable` are those of the run's own error.

    `status` and `result` are the run's last; `output` is what was done until then, empty where there is nothing.
    """

    def __init__(self, status: RunStatus, result: RunResult) -> None:
        error = result.error or ErrorDetail(code="unexplained", message="The service does not say why.")
        super().__init__(error.code, error.message, details=error.details or None, raw=result.to_dict())
        self.run_id = result.run_id
        self.status = status
        self.result = result
        self.output: dict[str, Any] = result.output or {}

    def __str__(self) -> str:
        return f"Run {self.run_id!r} {self.status.state}: {super().__str__()}"

    def __reduce__(self) -> tuple[type[ArpRunError], tuple[Any, ...]]:
        return type(self), (self.status, self.result)


class ArpRunFailedError(ArpRunError):
    """The run failed."""


class ArpRunCanceledError(ArpRunError):
    """Somebody canceled the run."""
