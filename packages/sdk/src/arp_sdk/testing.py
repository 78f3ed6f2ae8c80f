"""A daemon or runtime for the tests of programs that call one.

`FakeService` listens on a loopback port and answers as a real service does, over HTTP and from the wire's own types:
a program under test goes all the way through a real client. What becomes of a run is what the test says.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from arp_model import ErrorDetail
from arp_sdk._fake_routes import Answer, FakeRoutes, Request, next_event, refuse
from arp_sdk._fake_runs import Refusal, Script
from arp_sdk._fake_server import BrokenStream, FakeServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from arp_model import Model, RunEvent, RunRequest
    from arp_sdk._fake_runs import FakeRun

__all__ = ["FakeService"]


class FakeService:
    """A service that answers as it is told, until it is closed. Use it in a `with` statement; threads may share it.

    It serves runs (submit, batch, status, result, events, cancel, list), health and version; `answer` adds what else
    is needed. A goal that it was told nothing about fails with the code `not_scripted`.
    """

    def __init__(self) -> None:
        self._routes = FakeRoutes()
        self._cuts: list[int] = []
        self._changed = threading.Condition()
        self._closing = False
        self._server = FakeServer(self)

    @property
    def url(self) -> str:
        """Where it listens: the `base_url` for a client."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[RunRequest]:
        """The requests of all runs, in the order in which they came."""
        with self._changed:
            return [run.request for run in self._routes.runs.by_id.values()]

    def on(
        self,
        goal: str | None,
        *,
        output: dict[str, Any] | None = None,
        error: ErrorDetail | str | None = None,
        events: Sequence[tuple[str, dict[str, Any]]] = (),
        holds: bool = False,
    ) -> None:
        """Say what becomes of runs with this goal; None: with any goal that nothing is said of.

        The run tells the `events` (type and data, such as `("token", {"text": "4"})`) and succeeds with the `output`;
        or fails with the `error`, which may be a code alone, the output being what was done until then. One that
        `holds` does not end by itself: see `finish`.
        """
        detail = ErrorDetail(error, "As it was told.") if isinstance(error, str) else error
        with self._changed:
            self._routes.runs.scripts[goal] = Script(output, detail, tuple(events), holds)

    def finish(self, run_id: str) -> None:
        """Let a run that is held end as it was told. Raises KeyError where there is none."""
        with self._changed:
            self._routes.runs.by_id[run_id].finish()
            self._changed.notify_all()

    def unavailable(self, times: int = 1, *, status: int = 503, retry_after: int | None = None) -> None:
        """Answer the next requests, of whatever kind, with an error instead. `retry_after` is in seconds."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        trouble = refuse(Refusal(status, "unavailable", "Not now, as it was told."), headers)
        with self._changed:
            self._routes.troubles += [trouble] * times

    def cut_events(self, after: int = 1, *, times: int = 1) -> None:
        """Break the connection of each of the next event streams after so many events, in the middle of the next."""
        with self._changed:
            self._cuts += [after] * times

    def answer(self, method: str, path: str, body: Model, *, status: int = 200) -> None:
        """Say what a request is answered with, such as `GET` of `/v1/instances`; it wins over what is built in."""
        with self._changed:
            self._routes.told[method, path] = Answer(status, body.to_json())

    def close(self) -> None:
        """Stop listening, and end all connections."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def respond(self, request: Request) -> Answer:
        """Answer a request; called by the server alone."""
        with self._changed:
            answer = self._routes.answer(request)
            self._changed.notify_all()
        return answer

    def stream(self, request: Request) -> Iterator[bytes]:
        """Yield a run's events as they happen, up to the last; called by the server alone."""
        with self._changed:
            run = self._routes.runs.get(request.words[1])
            left = self._cuts.pop(0) if self._cuts else -1
        seq = next_event(request)
        while (event := self._wait_for(run, seq)) is not None:
            frame = f"id: {event.seq}\nevent: {event.type_}\ndata: {event.to_json().decode()}\n\n".encode()
            if left == 0:
                raise BrokenStream(frame[: len(frame) // 2])
            yield frame
            left, seq = left - 1, seq + 1

    def _wait_for(self, run: FakeRun, seq: int) -> RunEvent | None:
        """Return an event as soon as it is there; None where none comes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or run.result is not None or seq < len(run.events))
            return run.events[seq] if seq < len(run.events) and not self._closing else None
