"""Answers: a Struct as JSON, and an error as the ErrorEnvelope of the standard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from arp_model import ErrorDetail, ErrorEnvelope

if TYPE_CHECKING:
    from arp_service.errors import ServiceError

_encoder = msgspec.json.Encoder()


class StructResponse(Response):
    """A msgspec Struct, or anything else that msgspec encodes, as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode the content; `msgspec.Raw` passes through as it is."""
        return _encoder.encode(content)


def error_detail(error: ServiceError) -> ErrorDetail:
    """The standard's Error object for an error of ours."""
    return ErrorDetail(
        code=error.code,
        message=error.message,
        details=msgspec.UNSET if error.details is None else error.details,
        retryable=msgspec.UNSET if error.retryable is None else error.retryable,
    )


def error_response(error: ServiceError) -> StructResponse:
    """The one place where an error becomes an answer."""
    return StructResponse(ErrorEnvelope(error=error_detail(error)), error.status, error.headers)
