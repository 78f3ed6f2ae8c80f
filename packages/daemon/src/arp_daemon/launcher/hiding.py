"""Secrets, taken out of what an instance says before it is written anywhere.

Only here is it known which values an instance was given, for as long as it speaks: a daemon that starts again does
not know them any more. So its logs never hold them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from arp_daemon.redaction import HIDDEN, hidden_forms

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Hiding"]

_HIDDEN = HIDDEN.encode()


class Hiding:
    """Replaces values in a stream of bytes, wherever that is cut. Holds back only what may be a value's beginning."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form.encode() for value in values for form in hidden_forms(value)}
        # The longest first, so that of two that begin alike the whole is hidden.
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what of the stream can be shown by now."""
        if not self._forms:
            return data
        data = self._held + data
        shown, position = [], 0
        end = len(data) - self._unfinished(data)
        for match in self._pattern.finditer(data):
            # It may yet turn out to be the beginning of a longer value.
            if match.start() >= end:
                break
            shown += [data[position : match.start()], _HIDDEN]
            position = match.end()
            # What might have been the beginning of another value was the end of this one.
            if position > end:
                end = len(data) - self._unfinished(data[position:])
        self._held = data[end:]
        return b"".join([*shown, data[position:end]])

    def flush(self) -> bytes:
        """Return the rest: the stream has ended."""
        rest, self._held = self._held, b""
        return self._pattern.sub(_HIDDEN, rest) if self._forms else rest

    def _unfinished(self, data: bytes) -> int:
        """Return the length of the longest end of `data` with which a value begins that is longer."""
        return max(_overlap(data, form) for form in self._forms)


def _overlap(data: bytes, form: bytes) -> int:
    start = data.find(form[:1], max(0, len(data) - len(form) + 1))
    while start >= 0 and not form.startswith(data[start:]):
        start = data.find(form[:1], start + 1)
    return len(data) - start if start >= 0 else 0
