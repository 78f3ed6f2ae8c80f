"""What must not be seen, taken out of what is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "****"

_USERINFO = re.compile(r"(?<=://)[^/\s'\"<>]+(?=@)")
_QUERY = re.compile(r"(?<=://)([^\s'\"<>?#]*)\?[^\s'\"<>#]+")
# A shorter value stands in half of all texts by chance, and hiding it would show where.
_SHORTEST = 4


def hide_credentials(text: str) -> str:
    """Return `text` with the user, password and query of every URL in it replaced by `****`."""
    return _QUERY.sub(rf"\1?{HIDDEN}", _USERINFO.sub(HIDDEN, text))


class Redactor:
    """Knows the values that `env_from` gave to instances of this daemon, and hides them.

    Values of fewer than 4 characters are not hidden. One that spans lines is hidden line by line as well, because
    output is cut between lines.
    """

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._text: re.Pattern[str] | None = None
        self._data: re.Pattern[bytes] | None = None

    def add(self, values: Iterable[str]) -> None:
        """Hide these from now on."""
        new = {form for value in values for form in _forms(value)} - self._values
        if not new:
            return
        self._values |= new
        # The longest first, so that of two that begin alike the whole is hidden.
        pattern = "|".join(re.escape(value) for value in sorted(self._values, key=len, reverse=True))
        self._text, self._data = re.compile(pattern), re.compile(pattern.encode())

    def text(self, text: str) -> str:
        """Return `text` without any of the values."""
        return text if self._text is None else self._text.sub(HIDDEN, text)

    def data(self, data: bytes) -> bytes:
        """Return UTF-8 or JSON without any of the values."""
        return data if self._data is None else self._data.sub(HIDDEN.encode(), data)


def _forms(value: str) -> Iterator[str]:
    """The value, its lines, and all of them as they stand in JSON."""
    for piece in (value, *value.splitlines()):
        if len(piece.strip()) >= _SHORTEST:
            yield from {piece, json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1]}
