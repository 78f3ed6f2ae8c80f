"""Following a run, for the clients of every service that streams run events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_sdk._async import AsyncClient
from arp_sdk._follow import RunFollower
from arp_sdk._sync import SyncClient
from arp_sdk.errors import ArpApiError
from arp_sdk.generated.runtime import GET_RUN_STATUS, GetRunStatusRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from arp_model import RunEvent


class SyncRunEvents(SyncClient):
    """A blocking client that can follow runs."""

    def iter_run_events(self, run_id: str, after: int | None = None) -> Generator[RunEvent, None, None]:
        """Yield the run's events as they happen, up to the last one, `final` or `error`.

        `after` is the `seq` of the last event already seen. A connection that breaks is taken up again where it
        ended, so no event is missed or repeated; ArpApiError is raised when that fails several times in a row.
        """
        follower = RunFollower(run_id, after, self.unknown_fields, retries=self._retries)
        while True:
            error = None
            try:
                with self._stream(follower.call()) as response:
                    follower.opened(response.status_code, response.headers)
                    for chunk in response.iter_bytes():
                        yield from follower.feed(chunk)
                        if follower.done:
                            return
                status = self._call(GET_RUN_STATUS, GetRunStatusRequest(run_id))
                if follower.over(status.state):
                    return
            except ArpApiError as exc:
                error = exc
            self._pause(follower.broken(error))


class AsyncRunEvents(AsyncClient):
    """An async client that can follow runs."""

    async def iter_run_events(self, run_id: str, after: int | None = None) -> AsyncGenerator[RunEvent, None]:
        """Yield the run's events as they happen, up to the last one, `final` or `error`.

        `after` is the `seq` of the last event already seen. A connection that breaks is taken up again where it
        ended, so no event is missed or repeated; ArpApiError is raised when that fails several times in a row.
        Whoever stops early closes the iterator (`contextlib.aclosing`).
        """
        follower = RunFollower(run_id, after, self.unknown_fields, retries=self._retries)
        while True:
            error = None
            try:
                async with self._stream(follower.call()) as response:
                    follower.opened(response.status_code, response.headers)
                    async for chunk in response.aiter_bytes():
                        for event in follower.feed(chunk):
                            yield event
                        if follower.done:
                            return
                status = await self._call(GET_RUN_STATUS, GetRunStatusRequest(run_id))
                if follower.over(status.state):
                    return
            except ArpApiError as exc:
                error = exc
            await self._pause(follower.broken(error))
