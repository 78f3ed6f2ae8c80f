"""One run in the hands of whoever submitted it, or has come back to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from arp_model import RunEvent, RunStatus
    from arp_sdk._outcome import SucceededResult
    from arp_sdk.daemon import AsyncDaemonClient, DaemonClient
    from arp_sdk.runtime import AsyncRuntimeClient, RuntimeClient


# For so long after its submission, in seconds, a run is new: few events of it can be there.
_NEW = 1.0


class RunHandle:
    """A run, and the client that calls its service. To let go of it, or to close the client, cancels nothing."""

    def __init__(self, client: DaemonClient | RuntimeClient, run_id: str, *, submitted: bool = False) -> None:
        """Take a run of the client's service; `submitted`: just now."""
        self._client = client
        self._run_id = run_id
        self._new_until = time.monotonic() + _NEW if submitted else 0.0

    def __repr__(self) -> str:
        return f"<RunHandle {self._run_id!r}>"

    @property
    def run_id(self) -> str:
        """The run's id, by which it can be found again (`client.run_handle(run_id)`)."""
        return self._run_id

    def status(self) -> RunStatus:
        """Return how far the run is."""
        return self._client.get_run_status(self._run_id)

    def events(self, after: int | None = None) -> Generator[RunEvent, None, None]:
        """Yield the run's events, from the first or the one after `after`, up to the last: see `iter_run_events`."""
        return self._client.iter_run_events(self._run_id, after)

    def result(self, timeout: float | None = None) -> SucceededResult:
        """Wait for the run's end, for `timeout` seconds or without a bound, and return what came of it.

        Raises:
            ArpRunFailedError: the run failed; the error has the code, and the output until then.
            ArpRunCanceledError: somebody canceled it.
            ArpWaitTimeoutError: it has not ended in time. It goes on.
            ArpApiError: the service refuses, or does not answer any more.
        """
        return self._client.wait_for_result(self._run_id, timeout, new=time.monotonic() < self._new_until)

    def cancel(self) -> RunStatus:
        """Ask for the run's end. It may take its agent a moment; `result` raises ArpRunCanceledError then."""
        return self._client.cancel_run(self._run_id)


class AsyncRunHandle:
    """A run, and the client that calls its service. To let go of it, or to close the client, cancels nothing."""

    def __init__(self, client: AsyncDaemonClient | AsyncRuntimeClient, run_id: str, *, submitted: bool = False) -> None:
        """Take a run of the client's service; `submitted`: just now."""
        self._client = client
        self._run_id = run_id
        self._new_until = time.monotonic() + _NEW if submitted else 0.0

    def __repr__(self) -> str:
        return f"<AsyncRunHandle {self._run_id!r}>"

    @property
    def run_id(self) -> str:
        """The run's id, by which it can be found again (`client.run_handle(run_id)`)."""
        return self._run_id

    async def status(self) -> RunStatus:
        """Return how far the run is."""
        return await self._client.get_run_status(self._run_id)

    def events(self, after: int | None = None) -> AsyncGenerator[RunEvent, None]:
        """Yield the run's events, from the first or the one after `after`, up to the last: see `iter_run_events`.

        Whoever stops early closes the iterator (`contextlib.aclosing`).
        """
        return self._client.iter_run_events(self._run_id, after)

    async def result(self, timeout: float | None = None) -> SucceededResult:
        """Wait for the run's end, for `timeout` seconds or without a bound, and return what came of it.

        Raises:
            ArpRunFailedError: the run failed; the error has the code, and the output until then.
            ArpRunCanceledError: somebody canceled it.
            ArpWaitTimeoutError: it has not ended in time. It goes on.
            ArpApiError: the service refuses, or does not answer any more.
        """
        return await self._client.wait_for_result(self._run_id, timeout, new=time.monotonic() < self._new_until)

    async def cancel(self) -> RunStatus:
        """Ask for the run's end. It may take its agent a moment; `result` raises ArpRunCanceledError then."""
        return await self._client.cancel_run(self._run_id)
