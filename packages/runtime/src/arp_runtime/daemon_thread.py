"""Blocking calls beside the event loop, in threads that nobody has to wait for.

A call that never returns takes its thread with it until the process ends, and holds up neither its caller, who may be
cancelled, nor that end.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio
from anyio import RunFinishedError
from anyio.from_thread import run_sync as run_in_loop
from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class DaemonCall(Generic[T]):
    """One call, which a thread makes and a task waits for. `on_end` is called in the event loop when it has ended."""

    def __init__(self, function: Callable[[], T], name: str, on_end: Callable[[], None] = lambda: None) -> None:
        self.ended = anyio.Event()
        self._function = function
        self._name = name
        self._on_end = on_end
        self._token = current_token()
        self._value: list[T] = []
        self._error: BaseException | None = None

    def start(self) -> None:
        """Let a thread of its own make the call."""
        Thread(target=copy_context().run, args=[self._make], name=self._name, daemon=True).start()

    def outcome(self) -> T:
        """What the function returned, once it has ended; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._value[0]

    def _make(self) -> None:
        """Runs in the thread."""
        try:
            self._value.append(self._function())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the task
            self._error = error
        with suppress(RunFinishedError):  # the loop has ended, and nobody waits any more
            run_in_loop(self._end, token=self._token)

    def _end(self) -> None:
        self._on_end()
        self.ended.set()


async def call_in_daemon_thread(function: Callable[[], T], name: str, limiter: anyio.CapacityLimiter) -> T:
    """Call a blocking function in a thread of its own, and return what it returns.

    Cancelled, it ends at once and leaves the thread behind, which keeps its place in the limiter until it ends.
    """
    borrower = object()
    call = DaemonCall(function, name, lambda: limiter.release_on_behalf_of(borrower))
    await limiter.acquire_on_behalf_of(borrower)
    call.start()
    await call.ended.wait()
    return call.outcome()
