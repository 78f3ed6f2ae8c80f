"""Waiting for a run's end, for the clients of every service that executes runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_sdk._async import AsyncClient
from arp_sdk._outcome import read_outcome
from arp_sdk._sync import SyncClient
from arp_sdk._wait import RunWaiter
from arp_sdk.errors import ArpApiError
from arp_sdk.generated.runtime import (
    GET_RUN_RESULT,
    GET_RUN_STATUS,
    GetRunResultRequest,
    GetRunStatusRequest,
)

if TYPE_CHECKING:
    from arp_model import RunStatus
    from arp_sdk._outcome import SucceededResult


class SyncWaitForRun(SyncClient):
    """A blocking client that can wait for runs."""

    def wait_for_run(self, run_id: str, timeout: float | None = None) -> RunStatus:
        """Return the run's status when it has ended, however it did. `timeout` is in seconds; None: without a bound.

        The run's events tell of its end where the service has them; else its state is asked for, ever more seldom.
        A service that is away for some seconds is waited for.

        Raises:
            ArpWaitTimeoutError: the run has not ended in time. It goes on.
            ArpApiError: the service refuses, or does not answer any more.
        """
        waiter = RunWaiter(run_id, timeout)
        self._wait(waiter)
        assert waiter.ended is not None
        return waiter.ended

    def wait_for_result(self, run_id: str, timeout: float | None = None, *, new: bool = False) -> SucceededResult:
        """Wait as `wait_for_run` does, and return what came of the run: what its last event says, where it says so.

        `new`: the run has just been submitted, so its events tell all sooner than a question does.

        Raises:
            ArpRunFailedError, ArpRunCanceledError: the run has ended without success.
            ArpWaitTimeoutError: the run has not ended in time. It goes on.
            ArpApiError: the service refuses, or does not answer any more.
        """
        waiter = RunWaiter(run_id, timeout, result=True, new=new)
        self._wait(waiter)
        if waiter.result is not None:
            return waiter.result
        assert waiter.ended is not None
        return read_outcome(waiter.ended, self._call(GET_RUN_RESULT, GetRunResultRequest(run_id)))

    def _wait(self, waiter: RunWaiter) -> None:
        while True:
            try:
                if waiter.asks:
                    asked = GetRunStatusRequest(waiter.run_id)
                    waiter.told(self._call(GET_RUN_STATUS, asked, patience=waiter.ask()))
                if waiter.listens:
                    call, patience = waiter.listen()
                    with self._stream(call, patience=patience) as response:
                        waiter.opened(response.status_code, response.headers)
                        for chunk in response.iter_bytes():
                            if not waiter.hears(chunk):
                                break
            except ArpApiError as exc:
                waiter.failed(exc)
            if waiter.done:
                return
            self._pause(waiter.pause())


class AsyncWaitForRun(AsyncClient):
    """An async client that can wait for runs."""

    async def wait_for_run(self, run_id: str, timeout: float | None = None) -> RunStatus:
        """Return the run's status when it has ended, however it did. `timeout` is in seconds; None: without a bound.

        The run's events tell of its end where the service has them; else its state is asked for, ever more seldom.
        A service that is away for some seconds is waited for.

        Raises:
            ArpWaitTimeoutError: the run has not ended in time. It goes on.
            ArpApiError: the service refuses, or does not answer any more.
        """
        waiter = RunWaiter(run_id, timeout)
        await self._wait(waiter)
        assert waiter.ended is not None
        return waiter.ended

    async def wait_for_result(self, run_id: str, timeout: float | None = None, *, new: bool = False) -> SucceededResult:
        """Wait as `wait_for_run` does, and return what came of the run: what its last event says, where it says so.

        `new`: the run has just been submitted, so its events tell all sooner than a question does.

        Raises:
            ArpRunFailedError, ArpRunCanceledError: the run has ended without success.
            ArpWaitTimeoutError: the run has not ended in time. It goes on.
            ArpApiError: the service refuses, or does not answer any more.
        """
        waiter = RunWaiter(run_id, timeout, result=True, new=new)
        await self._wait(waiter)
        if waiter.result is not None:
            return waiter.result
        assert waiter.ended is not None
        return read_outcome(waiter.ended, await self._call(GET_RUN_RESULT, GetRunResultRequest(run_id)))

    async def _wait(self, waiter: RunWaiter) -> None:
        while True:
            try:
                if waiter.asks:
                    asked = GetRunStatusRequest(waiter.run_id)
                    waiter.told(await self._call(GET_RUN_STATUS, asked, patience=waiter.ask()))
                if waiter.listens:
                    call, patience = waiter.listen()
                    async with self._stream(call, patience=patience) as response:
                        waiter.opened(response.status_code, response.headers)
                        async for chunk in response.aiter_bytes():
                            if not waiter.hears(chunk):
                                break
            except ArpApiError as exc:
                waiter.failed(exc)
            if waiter.done:
                return
            await self._pause(waiter.pause())
