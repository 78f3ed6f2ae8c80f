"""Waiting for a run's end, for the clients of every service that executes runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_sdk._async import AsyncClient
from arp_sdk._sync import SyncClient
from arp_sdk._wait import RunWaiter
from arp_sdk.errors import ArpApiError
from arp_sdk.generated.runtime import GET_RUN_STATUS, GetRunStatusRequest

if TYPE_CHECKING:
    from arp_model import RunStatus


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
        while True:
            try:
                waiter.told(self._call(GET_RUN_STATUS, GetRunStatusRequest(run_id), patience=waiter.ask()))
                if waiter.listens:
                    call, patience = waiter.listen()
                    with self._stream(call, patience=patience) as response:
                        waiter.opened(response.status_code, response.headers)
                        for chunk in response.iter_bytes():
                            if not waiter.hears(chunk):
                                break
            except ArpApiError as exc:
                waiter.failed(exc)
            if waiter.ended is not None:
                return waiter.ended
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
        while True:
            try:
                waiter.told(await self._call(GET_RUN_STATUS, GetRunStatusRequest(run_id), patience=waiter.ask()))
                if waiter.listens:
                    call, patience = waiter.listen()
                    async with self._stream(call, patience=patience) as response:
                        waiter.opened(response.status_code, response.headers)
                        async for chunk in response.aiter_bytes():
                            if not waiter.hears(chunk):
                                break
            except ArpApiError as exc:
                waiter.failed(exc)
            if waiter.ended is not None:
                return waiter.ended
            await self._pause(waiter.pause())
