"""Query parameters, read strictly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from starlette.requests import Request

# A day. Whoever wants to wait longer leaves the bound out.
_MAX_MS = 86_400_000


def read_flag(request: Request, name: str) -> bool:
    """A flag that is false where it is not given.

    Raises:
        InvalidRequestError: it is neither `true` nor `false`.
    """
    given = request.query_params.get(name, "false")
    if given not in {"true", "false"}:
        raise InvalidRequestError(f"{name}: use true or false.")
    return given == "true"


def find_number(request: Request, name: str, *, least: int, most: int) -> int | None:
    """A whole number, or None where it is not given.

    Raises:
        InvalidRequestError: it is no number from `least` to `most`.
    """
    given = request.query_params.get(name)
    if given is None:
        return None
    if given.isascii() and given.isdigit() and len(given) <= len(str(most)) and least <= int(given) <= most:
        return int(given)
    raise InvalidRequestError(f"{name}: use a whole number from {least} to {most}.")


def find_grace_s(request: Request) -> float | None:
    """`grace_ms` in seconds, or None where there is no bound.

    Raises:
        InvalidRequestError: it is no number of milliseconds up to a day.
    """
    grace_ms = find_number(request, "grace_ms", least=0, most=_MAX_MS)
    return None if grace_ms is None else grace_ms / 1000
