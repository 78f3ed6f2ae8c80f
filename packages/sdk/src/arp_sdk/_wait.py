"""Waits for one run's end: when to ask for its state, when to listen to its events, when to give up. No I/O.

Whoever listens learns of the end at once, and asks only twice; or never, where a run has just been submitted and its
last event says what came of it. Where a service has no events, or its stream fails, what is left is asking again and
again, ever more seldom.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from arp_sdk._follow import ENDED, RunFollower, is_passing
from arp_sdk._outcome import find_success
from arp_sdk.errors import ArpApiError, ArpResponseError, ArpTimeoutError, ArpWaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arp_model import RunStatus
    from arp_sdk._operation import Call
    from arp_sdk._outcome import SucceededResult

# The wait before a state is asked for again, in seconds: it doubles up to the longest.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
# How often in a row a service that has answered before may fail to, before the wait ends with its error.
ASK_TRIES = 10
# How long a question may take at least, in seconds: where no time is left to wait, there is still time to ask.
ASK_TIMEOUT = 1.0
# By how much a wait may be over its time because a stream was opened with more patience than is left, in seconds.
SLACK = 0.2

# So answers what has no such route.
_NO_ROUTE = {404, 405, 501}


class RunWaiter:
    """Where somebody who waits for a run's end stands. `timeout` is in seconds; None waits without a bound.

    Who waits for its `result` is content with that, and need not know its status. A run that is `new` is listened to
    before anything is asked: of one that has long been there, that could be many events in the place of one answer.
    """

    def __init__(
        self,
        run_id: str,
        timeout: float | None,
        clock: Callable[[], float] = time.monotonic,
        *,
        result: bool = False,
        new: bool = False,
    ) -> None:
        self.run_id = run_id
        self._timeout = timeout
        self._clock = clock
        self._ends_at = math.inf if timeout is None else clock() + timeout
        self._wants_result = result
        self._new = new
        self.result: SucceededResult | None = None
        self._follower = RunFollower(run_id, None)
        self._has_events = True
        self._asking = False
        self._patience = math.inf
        self._pause = FIRST_PAUSE
        self._goes_on_at_once = False
        self._tries = 0
        self._status: RunStatus | None = None

    @property
    def ended(self) -> RunStatus | None:
        """The run's status, once it has ended."""
        return self._status if self._status is not None and self._status.state in ENDED else None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.result is not None or self.ended is not None

    @property
    def asks(self) -> bool:
        """Whether to ask for the state now, before anything is listened to."""
        return not (self._new and self.listens)

    def ask(self) -> float:
        """Return how long the next question for the state may take, in seconds."""
        self._asking, self._goes_on_at_once = True, False
        return max(self._left(), ASK_TIMEOUT)

    def told(self, status: RunStatus) -> None:
        """Take note of the answer."""
        self._status, self._asking, self._tries = status, False, 0

    @property
    def listens(self) -> bool:
        """Whether there is something to listen for, and time for it."""
        return self._has_events and not self.ended and not self._follower.done and self._left() != 0

    def listen(self) -> tuple[Call, float]:
        """Return the request for the events, and how long their stream may be silent, in seconds."""
        self._new = False
        self._patience = self._left()
        return self._follower.call(), self._patience

    def opened(self, status: int, headers: Mapping[str, str]) -> None:
        """Take note that a stream stands. Raises ArpResponseError where it is none."""
        self._follower.opened(status, headers)

    def hears(self, chunk: bytes) -> bool:
        """Take in a piece of the stream; tell whether to go on with it."""
        for event in self._follower.feed(chunk):
            self._pause = FIRST_PAUSE
            if self._wants_result:
                self.result = find_success(event)
        self._goes_on_at_once = self._follower.done or self._is_too_patient()
        return not self._goes_on_at_once

    def _is_too_patient(self) -> bool:
        """Tell whether the stream would be waited for beyond the end of the time."""
        left = self._left()
        return left == 0 or left < self._patience - SLACK

    def failed(self, error: ArpApiError) -> None:
        """Take note that a question or a stream failed. Raises what ends the wait."""
        if not self._asking:
            self._stream_failed(error)
            return
        if self._status is None or not is_passing(error):
            raise error
        self._tries += 1
        if self._tries > ASK_TRIES:
            raise error

    def _stream_failed(self, error: ArpApiError) -> None:
        """Decide whether to listen again; that a run is not known, or a service gone, the next question tells."""
        if error.status_code in _NO_ROUTE or isinstance(error, ArpResponseError):
            self._has_events = False
        # A run may be silent for as long as it likes.
        self._goes_on_at_once = isinstance(error, ArpTimeoutError)

    def pause(self) -> float:
        """Return how long to wait before the next question, in seconds. Raises ArpWaitTimeoutError when time is up."""
        left = self._left()
        if left == 0:
            raise ArpWaitTimeoutError(self.run_id, self._timeout or 0.0, self._status)
        if self._goes_on_at_once:
            return 0.0
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return min(pause, left)

    def _left(self) -> float:
        return max(0.0, self._ends_at - self._clock())
