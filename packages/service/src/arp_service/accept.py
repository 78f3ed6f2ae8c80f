"""Which of two media types an `Accept` header asks for (RFC 9110, 12.5.1). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

# A weight has at most three digits after the point; what is written otherwise counts as the weight 1 that is left out.
_WEIGHT = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE)


class _Wish(NamedTuple):
    """How much a media type is wanted; of two that are wanted alike, the one that is named more exactly."""

    weight: float
    exactness: int


def prefers(accept: str, media_type: str, default: str) -> bool:
    """Whether a client that sends `accept` wants `media_type` more than `default`.

    An empty header wants anything, and so the default. Media types are in lower case.
    """
    ranges = [part.strip() for part in accept.split(",") if part.strip()]
    wish = _wish(ranges, media_type)
    return wish.weight > 0 and wish > _wish(ranges, default)


def _wish(ranges: list[str], media_type: str) -> _Wish:
    """The wish of the most exact range that a media type falls into."""
    forms = ["*/*", media_type.partition("/")[0] + "/*", media_type]
    found = {part.partition(";")[0].strip().lower(): _weight(part) for part in reversed(ranges)}
    return next(
        (_Wish(found[form], exactness) for exactness, form in reversed(list(enumerate(forms))) if form in found),
        _Wish(0.0, 0),
    )


def _weight(part: str) -> float:
    given = _WEIGHT.search(part)
    return 1.0 if given is None else float(given[1])
