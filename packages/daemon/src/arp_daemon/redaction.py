"""What must not be seen, taken out of what is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "****"

_USERINFO = re.compile(r"(?<=://)[^/\s'\"<>]+(?=@)")
_QUERY = re.compile(r"(?<=://)([^\s'\"<>?#]*)\?[^\s'\"<>#]+")
# A shorter value stands in half of all texts by chance, and hiding it would show where.
_SHORTEST = 4
# A quotation, in characters; and of how much it is made, so that a value at its end is still whole when it is hidden.
_MAX_QUOTE, _MAX_QUOTED_FROM = 2000, 64 * 1024


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
        self._pattern: re.Pattern[str] | None = None

    def add(self, values: Iterable[str]) -> None:
        """Hide these from now on."""
        new = {form for value in values for form in hidden_forms(value)} - self._values
        if not new:
            return
        self._values |= new
        # The longest first, so that of two that begin alike the whole is hidden.
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._values, key=len, reverse=True))))

    @property
    def knows_nothing(self) -> bool:
        """Whether there is nothing to hide."""
        return self._pattern is None

    def text(self, text: str) -> str:
        """Return `text` without any of the values."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)

    def quote(self, said: bytes | str) -> str:
        """Return the beginning of what somebody said, as it may be shown: cut, and without any of the values."""
        start = said[:_MAX_QUOTED_FROM]
        text = start.decode("utf-8", "replace") if isinstance(start, bytes) else start
        return self.text(text)[:_MAX_QUOTE]

    def value(self, value: Any) -> Any:
        """Return plain values (of JSON, say) with none of the hidden ones in any text among them."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self._pattern.sub(HIDDEN, value)
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list) else value


def hidden_forms(value: str) -> Iterator[str]:
    """What is hidden of a value, unless it is short: itself, its lines, and all of them as JSON, which programs log."""
    for piece in (value, *value.splitlines()):
        if len(piece.strip()) >= _SHORTEST:
            yield from {piece, json.dumps(piece)[1:-1], json.dumps(piece, ensure_ascii=False)[1:-1]}
