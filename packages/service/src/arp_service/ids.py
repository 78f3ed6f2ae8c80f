"""Ids: what clients may choose, and what the service assigns.

An id stands in URL paths and in file names, so only characters that need no escaping anywhere are allowed.
"""

from __future__ import annotations

import os
import re
import time

from arp_service.errors import InvalidRequestError

ID_PATTERN = r"^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""As a JSON Schema `pattern`: 1 to 128 characters, starts with a letter or digit, no `..`."""

_ID = re.compile(ID_PATTERN[:-1] + r"\Z")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def check_id(value: str, place: str) -> str:
    """Return `value` if it is a well-formed id.

    Raises:
        InvalidRequestError: with `place` (a JSON path or a parameter's name) in the message.
    """
    if _ID.match(value):
        return value
    shown = value if len(value) <= 40 else value[:40] + "..."
    raise InvalidRequestError(
        f"{place}: {shown!r} is not a valid id: use 1 to 128 letters, digits, '.', '_' or '-', "
        "starting with a letter or digit, without '..'.",
        details={"place": place},
    )


def new_id(prefix: str) -> str:
    """Return `<prefix>_` and 26 characters that sort by the time of their making.

    48 bits of milliseconds and 80 random bits in Crockford's base 32, as the ULID specification has it.
    """
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    # Two digits at a time: 13 steps for 130 bits.
    return f"{prefix}_{''.join([_PAIRS[number >> shift & 0x3FF] for shift in range(120, -10, -10)])}"
