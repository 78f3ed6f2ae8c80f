"""The `Idempotency-Key` of a submission: whoever sends it again gets the run that the first one made. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from starlette.requests import Request

HEADER = "Idempotency-Key"
# Visible ASCII: what every client can put into a header, and what needs no escaping in a log.
_KEY = re.compile(r"[!-~]{1,255}\Z")


def read_idempotency_key(request: Request) -> str | None:
    """Return the key that a submission bears, if any; it is compared as it stands.

    Raises:
        InvalidRequestError: it is no key, or there are several.
    """
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.match(given[0]):
        raise InvalidRequestError(f"{HEADER}: use one of 1 to 255 visible ASCII characters.")
    return given[0]
