"""The errors that an ARP service answers with.

ServiceError                     what every route may raise; becomes an ErrorEnvelope
├── InvalidRequestError      400  the body or a parameter breaks the contract; the message names the place
│   ├── InvalidJsonError     400  the body is no JSON document, or nests too deep
│   └── InvalidPageTokenError 400
├── UnauthorizedError        401  the caller did not show who it is
├── ForbiddenError           403  the caller is known and may not
├── NotFoundError            404  no such route
│   └── RunNotFoundError     404
├── MethodNotAllowedError    405
├── BodyTimeoutError         408  the body did not arrive in time
├── ConflictError            409
│   ├── RunConflictError     409  the run id is taken by another request
│   └── RunNotFinishedError  409  the result is asked for before the end
├── EventsExpiredError       410  the asked-for events are no longer kept
├── BodyTooLargeError        413
├── UnsupportedMediaTypeError 415
├── InternalError            500  a bug; the answer says nothing of the inside
└── UnavailableError         503  not now; ask again

Codes are stable: clients may match on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceError(Exception):
    """An error with everything that its answer needs."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool | None] = None

    def __init__(
        self,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.headers = dict(headers or {})


class InvalidRequestError(ServiceError):
    """The request breaks the contract; the message names the place and the cure."""

    code = "invalid_request"
    status = 400


class InvalidJsonError(InvalidRequestError):
    """The body is not a JSON document, or one that nests too deep."""

    code = "invalid_json"


class InvalidPageTokenError(InvalidRequestError):
    """The page token was not made by this service."""

    code = "invalid_page_token"


class UnauthorizedError(ServiceError):
    """The caller did not show who it is (RFC 9110, 15.5.2)."""

    code = "unauthorized"
    status = 401

    def __init__(self, message: str, *, challenge: str = "Bearer") -> None:
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class ForbiddenError(ServiceError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403


class NotFoundError(ServiceError):
    """Nothing is served at this path."""

    code = "not_found"
    status = 404


class RunNotFoundError(NotFoundError):
    """No run with this id is known to the service."""

    code = "run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"Run {run_id!r} does not exist.", details={"run_id": run_id})


class MethodNotAllowedError(ServiceError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405


class BodyTimeoutError(ServiceError):
    """The request body did not arrive in time."""

    code = "body_timeout"
    status = 408
    retryable = True


class ConflictError(ServiceError):
    """The request does not fit the present state."""

    code = "conflict"
    status = 409


class RunConflictError(ConflictError):
    """The run id is taken by a run with another request."""

    code = "run_conflict"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"Run {run_id!r} exists with another request; choose another run_id.",
            details={"run_id": run_id},
        )


class RunNotFinishedError(ConflictError):
    """The run has no result yet."""

    code = "run_not_finished"
    retryable = True

    def __init__(self, run_id: str, state: str) -> None:
        super().__init__(
            f"Run {run_id!r} is {state}; its result comes when it ends.",
            details={"run_id": run_id, "state": state},
        )


class EventsExpiredError(ServiceError):
    """Events after this cursor are no longer kept, or the cursor is of another process."""

    code = "events_expired"
    status = 410


class BodyTooLargeError(ServiceError):
    """The request body is over the limit."""

    code = "body_too_large"
    status = 413


class UnsupportedMediaTypeError(ServiceError):
    """The body is not declared as application/json."""

    code = "unsupported_media_type"
    status = 415


class InternalError(ServiceError):
    """A bug in the service; the log has the traceback, the answer does not."""

    code = "internal_error"
    status = 500

    def __init__(self) -> None:
        super().__init__("The service failed to handle this request; its log says why.")


class UnavailableError(ServiceError):
    """The service cannot take this now; the same request may succeed later."""

    code = "unavailable"
    status = 503
    retryable = True

    def __init__(self, message: str, *, retry_after_s: int = 1, details: dict[str, Any] | None = None) -> None:
        super().__init__(message, details=details, headers={"Retry-After": str(retry_after_s)})


class StoppingError(UnavailableError):
    """The service is shutting down and takes no new work."""

    code = "stopping"
