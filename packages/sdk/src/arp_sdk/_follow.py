"""Follows one run's events across connections: what to ask for, what to pass on, when to try again. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from arp_model import RunEvent, RunEventType, RunState, decode_lenient
from arp_sdk._operation import EVENT_STREAM, build_call, require_media_type
from arp_sdk._retries import DEFAULT_RETRIES, RETRY_WINDOW
from arp_sdk._sse import SseError, SseParser
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpResponseError, ArpTimeoutError
from arp_sdk.generated.runtime import STREAM_RUN_EVENTS, StreamRunEventsRequest

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from arp_sdk._operation import Call
    from arp_sdk._sse import SseEvent

# How often a broken stream is taken up again before a new event comes.
RESUME_TRIES = 8
# The wait before the first of these tries, in seconds; it doubles with each, up to the longest. All of them give a
# service that restarts some ten seconds.
RESUME_DELAY = 0.1
LONGEST_RESUME_DELAY = 2.0

_LAST = {RunEventType.FINAL, RunEventType.ERROR}
ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED})
# The service is there, but can't answer just now.
_PASSING = {429, 502, 503, 504}


def is_passing(error: ArpApiError) -> bool:
    """Tell whether the same request may succeed a moment later."""
    return isinstance(error, (ArpConnectionError, ArpTimeoutError)) or error.status_code in _PASSING


class RunFollower:
    """Where a reader of a run's events stands. What it does not know of them is counted in `unknown`.

    `retries` is how often the first connection is tried again, as any other call is.
    """

    def __init__(
        self, run_id: str, after: int | None, unknown: Counter[str] | None = None, *, retries: int = DEFAULT_RETRIES
    ) -> None:
        self._run_id = run_id
        self._last = after
        self._unknown = unknown
        self._retries = retries
        self._cursor = ""
        self._parser = SseParser()
        self._connections = 0
        self._heard = False
        self._open = False
        self._tries = 0
        self._was_over = False
        self.done = False

    def call(self) -> Call:
        """Return the request for the next connection."""
        self._parser = SseParser()
        self._heard = self._open = False
        call = build_call(STREAM_RUN_EVENTS, StreamRunEventsRequest(self._run_id, self._last))
        if self._cursor:
            call.headers["Last-Event-ID"] = self._cursor
        return call

    def opened(self, status: int, headers: Mapping[str, str]) -> None:
        """Take note that a connection stands. Raises ArpResponseError where it gives no event stream."""
        require_media_type(EVENT_STREAM, status, headers)
        self._open = True
        self._connections += 1

    def feed(self, chunk: bytes) -> Iterator[RunEvent]:
        """Yield the run events that the chunk completes and that are new. Stops after the last event."""
        try:
            for event in self._parser.feed(chunk):
                run_event = self._accept(event)
                if run_event is not None:
                    yield run_event
                if self.done:
                    return
        except SseError as exc:
            raise ArpResponseError("invalid_response", str(exc)) from exc

    def _accept(self, event: SseEvent) -> RunEvent | None:
        try:
            run_event = decode_lenient(event.data, RunEvent, self._unknown)
        except msgspec.DecodeError as exc:
            message = f"The stream has an event that is no RunEvent: {exc}"
            raise ArpResponseError("invalid_response", message, raw=event.data) from exc
        if self._last is not None and run_event.seq <= self._last:
            return None
        if self._connections > 1 and not self._heard and run_event.seq != self._expected:
            message = f"The stream went on at event {run_event.seq} instead of {self._expected}."
            raise ArpResponseError("events_missed", message)
        self._last, self._cursor = run_event.seq, event.id
        self._heard, self._tries = True, 0
        self.done = run_event.type_ in _LAST
        return run_event

    @property
    def _expected(self) -> int:
        return 0 if self._last is None else self._last + 1

    def over(self, state: RunState) -> bool:
        """Tell whether there is nothing left to hear, after a connection that ended in order, without a last event.

        `state` is the run's state now. A run that had ended before the connection began, and brought nothing new,
        has told everything: its last event was seen by whoever said `after`.
        """
        was_over, self._was_over = self._was_over, state in ENDED
        return was_over and not self._heard

    def broken(self, error: ArpApiError | None) -> float:
        """Return how long to wait before the next connection, in seconds. Raises where there shall be none.

        `error` is why the connection is gone; None where the service ended it before the last event.
        """
        if error is not None and not self._passing(error):
            raise error
        if self._open and isinstance(error, ArpTimeoutError):
            return 0.0  # the run was silent, which it may be for as long as it likes
        self._tries += 1
        if self._tries > (RESUME_TRIES if self._connections else self._retries):
            raise error or ArpConnectionError("connection_lost", "The stream ended before the run's last event.")
        delay = min(RESUME_DELAY * 2 ** (self._tries - 1), LONGEST_RESUME_DELAY)
        asked_for = (error.retry_after if error is not None else None) or 0.0
        return float(max(delay, min(asked_for, RETRY_WINDOW)))

    def _passing(self, error: ArpApiError) -> bool:
        """Tell whether another try may help. Who was too slow to begin is not asked again."""
        return is_passing(error) and (self._connections > 0 or not isinstance(error, ArpTimeoutError))
