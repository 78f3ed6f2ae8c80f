"""Following the runs of one instance: by its one stream of all events, or run by run, or by asking.

Whatever the runtime offers, what comes out are RunEvents with a seq that counts, ended by one that brings the
RunResult; `OpenRuns` applies them. A stream that cannot be had, or makes no sense, is given up for the next lesser way:
so what one run says there costs the other runs nothing, and who answers nothing but nonsense is found out by asking.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import msgspec
import structlog
from anyio.lowlevel import checkpoint

from arp_daemon.instance import EVENTS, RUN_EVENTS
from arp_daemon.open_run import Phase
from arp_daemon.questions import Questions, UnknownRunError
from arp_daemon.relay import NoStreamError, RelayError, StreamExpiredError, UnreachableError
from arp_daemon.wire_events import LAST_TYPES, ProtocolError, WireEvent
from arp_model import InstanceState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.open_run import OpenRun
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.relay import Relay
    from arp_sdk.runtime import AsyncRuntimeClient

_log = structlog.get_logger(__name__)

# Before a broken stream is opened again: doubling.
_FIRST_RECONNECT_S, _LAST_RECONNECT_S = 0.05, 2.0
# A stream that breaks so often, one time after the other, without a word is given up. One that held for long has not
# been opened in vain.
_MAX_BREAKS, _HELD_S = 5, 10.0
# A runtime without streams is asked, first soon, then less often.
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 1.0
# So many events take a millisecond of the loop.
_MANY = 1000


class Breaks:
    """How often a stream broke without a word, one time after the other, and how long to wait before the next try."""

    def __init__(self) -> None:
        self._count = 0
        self.pause_s = _FIRST_RECONNECT_S

    @property
    def too_many(self) -> bool:
        """Whether it is of no use to open it again."""
        return self._count >= _MAX_BREAKS

    def forget(self) -> None:
        """It said something."""
        self._count = 0
        self.pause_s = _FIRST_RECONNECT_S

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count one try, unless nobody could be reached, or it held for long."""
        began = anyio.current_time()
        self._count += 1
        self.pause_s = min(self.pause_s * 2, _LAST_RECONNECT_S)
        try:
            yield
        except UnreachableError:
            self._count -= 1
            raise
        finally:
            if anyio.current_time() - began > _HELD_S:
                self._count = 0


class Follower:
    """Owned by the link; its methods run as tasks until the link is cut."""

    def __init__(
        self,
        instance: Instance,
        relay: Relay,
        client: AsyncRuntimeClient,
        runs: OpenRuns,
        lose: Callable[[OpenRun], Awaitable[None]],
    ) -> None:
        self._instance = instance
        self._relay = relay
        self._client = client
        self._runs = runs
        self._lose = lose
        self._singly: set[str] = set()
        """Tokens of runs that are followed one by one, because the stream of all no longer has all of theirs."""

    async def follow_instance(self) -> None:
        """Follow all runs by one stream; it is opened again where it broke, until it is given up."""
        breaks = Breaks()
        async with anyio.create_task_group() as tasks:
            while not breaks.too_many:
                try:
                    with breaks.counted():
                        await self._follow_stream(breaks)
                except StreamExpiredError as exc:
                    self._tell("event_stream_expired", exc)
                    self._instance.cursor = None
                    self._follow_singly(tasks)
                except (NoStreamError, ProtocolError) as exc:
                    self._tell("event_stream_given_up", exc)
                    break
                except RelayError as exc:
                    self._tell("event_stream_broke", exc)
                await anyio.sleep(breaks.pause_s)
            self._instance.features -= {EVENTS}
            self._follow_singly(tasks)

    async def follow_run(self, run: OpenRun) -> None:
        """Follow one run to its end."""
        token = str(run.token)
        try:
            await self._follow_run_streams(run, token)
            await self._poll_to_end(run, token)
        except ProtocolError as lie:
            if run.token == token:
                await self._runs.fail_lying(run, lie)
        except UnknownRunError:
            if run.token == token and not run.ended:
                await self._lose(run)
        self._singly.discard(token)

    async def _follow_stream(self, breaks: Breaks) -> None:
        async for delivery in self._relay.follow(self._instance.cursor):
            if delivery.events:
                breaks.forget()
            if len(delivery.events) > _MANY:
                await checkpoint()  # they were decoded in this turn, and to take them in lasts as long again
            events = delivery.events
            if self._singly:
                events = [event for event in events if event.run_id not in self._singly]
            await self._runs.apply(self._instance.instance_id, events, delivery.cursor)
            self._instance.cursor = delivery.cursor or self._instance.cursor
            for lie in delivery.bad:
                self._tell("bad_event", lie)
                if lie.token is None:
                    raise lie
                await self._runs.fail_token(self._instance.instance_id, lie)

    def _follow_singly(self, tasks: TaskGroup) -> None:
        for run in self._instance.assigned.values():
            if run.phase is Phase.ACCEPTED and run.token is not None and run.token not in self._singly:
                self._singly.add(run.token)
                tasks.start_soon(self.follow_run, run)

    async def _follow_run_streams(self, run: OpenRun, token: str) -> None:
        """By its own stream, as long as that can be had. Where it ends, the runtime is asked whether the run has."""
        breaks = Breaks()
        questions = Questions(self._client, token)
        while not (breaks.too_many or run.ended or run.token != token):
            try:
                with breaks.counted():
                    await self._follow_run_stream(run, token, breaks)
                await self._take_end(run, token, questions)
            except NoStreamError:
                return
            except RelayError as exc:
                _log.info("run_stream_broke", run_id=run.run_id, reason=str(exc))
            if not run.ended:
                await anyio.sleep(breaks.pause_s)

    async def _follow_run_stream(self, run: OpenRun, token: str, breaks: Breaks) -> None:
        """A runtime that does not promise more than the standard is renumbered, and asked for its result."""
        promises = RUN_EVENTS in self._instance.features
        skip = 0 if promises else run.expected_seq
        async for events in self._relay.follow_run(token, run.expected_seq if promises else 0):
            for event in events:
                if event.run_id != token:
                    raise ProtocolError("a run's stream has events of another", token, msgspec.json.encode(event))
            fresh = events
            if not promises:
                middle = [event for event in events if event.type not in LAST_TYPES]
                fresh = [msgspec.structs.replace(e, seq=n) for n, e in enumerate(middle[skip:], run.expected_seq)]
                skip = max(0, skip - len(middle))
            if fresh:
                breaks.forget()
            await self._runs.apply(self._instance.instance_id, fresh, None)

    async def _poll_to_end(self, run: OpenRun, token: str) -> None:
        questions = Questions(self._client, token)
        pause = _FIRST_POLL_S
        while not run.ended and run.token == token:
            await self._take_end(run, token, questions)
            if not run.ended:
                await anyio.sleep(pause)
                pause = min(pause * 1.5, _LAST_POLL_S)

    async def _take_end(self, run: OpenRun, token: str, questions: Questions) -> None:
        """Look once whether the run has ended, and take its result."""
        if run.ended or run.token != token:
            return
        last: WireEvent | None = await questions.find_end(run.expected_seq)
        if last is not None:
            await self._runs.apply(self._instance.instance_id, [last], None)

    def _tell(self, what: str, exc: Exception) -> None:
        # One that is being stopped is expected to close its streams.
        tell = _log.debug if self._instance.lifecycle is InstanceState.STOPPING else _log.warning
        tell(what, instance_id=self._instance.instance_id, reason=str(exc))
