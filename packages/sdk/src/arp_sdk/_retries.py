"""When a call is tried again, and after how long: values in, values out.

A call is repeated where that cannot do its work twice:

- nothing was sent (`connection_failed`), or the service was too busy (429, 503): any call;
- the connection broke (`connection_lost`), so that it may have been carried out: those that are the same when they are
  made twice (`Operation.repeatable`). A run is submitted under an id that is known before it is sent.

An answer that does not come in time is never asked for again: who was slow once is not helped by more work.
"""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from arp_sdk.errors import ArpApiError, ArpConnectionError

# How often a call is tried again, unless the client says otherwise.
DEFAULT_RETRIES = 4
# The wait before the first repetition, in seconds; it doubles with each, up to the longest.
FIRST_WAIT = 0.1
LONGEST_WAIT = 5.0
# No repetition begins later than this after the call, in seconds, whatever `Retry-After` asks for.
RETRY_WINDOW = 30.0

_BUSY = frozenset({429, 503})
_GONE = 404
_LOST = "connection_lost"


class Tries:
    """The tries of one call, told of each failure. It is given the time and the chance, and has neither."""

    def __init__(self, limit: int, method: str, *, repeatable: bool, total: float) -> None:
        """Begin. `limit` is how often it may be repeated, `total` the seconds that all of it may take."""
        self._left = limit
        self._method = method
        self._repeatable = repeatable
        self._window = min(RETRY_WINDOW, total)
        self._wait = FIRST_WAIT
        self._lost: ArpApiError | None = None

    def is_done(self, error: ArpApiError) -> bool:
        """Tell whether an error says that an earlier try did it: what a lost one deleted is not there any more."""
        return self._lost is not None and self._method == "DELETE" and error.status_code == _GONE

    def wait_after(self, error: ArpApiError, elapsed: float, chance: float) -> float:
        """Return the seconds to wait before the next try. Raises ArpApiError where there is none.

        `elapsed` are the seconds since the call began. `chance`, from 0 to 1, takes up to half of the wait away, so
        that those who failed together do not come again together.
        """
        if not self._may_repeat(error):
            raise error
        wait = max(self._wait * (1 - chance / 2), error.retry_after or 0.0)
        if self._left <= 0 or elapsed + wait > self._window:
            # That the last try did nothing does not say so of one that was lost.
            raise self._lost or error
        self._left -= 1
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        return wait

    def _may_repeat(self, error: ArpApiError) -> bool:
        if not isinstance(error, ArpConnectionError):
            return error.status_code in _BUSY and error.retryable is not False
        if error.code == _LOST:
            self._lost = error
            return self._repeatable
        return True


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3): a number or a date. None: nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return max((at - (now or datetime.now(timezone.utc))).total_seconds(), 0.0)
