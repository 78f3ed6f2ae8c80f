"""The runs of a `FakeService`: what was asked for, and what comes of it as it was told. No I/O.

Nothing here waits and nothing works: a run ends as soon as it is submitted, unless its script holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from arp_model import (
    UNSET,
    ErrorDetail,
    Pagination,
    RunEvent,
    RunEventType,
    RunListResponse,
    RunRequest,
    RunResult,
    RunState,
    RunStatus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PAGE = 100
_RETRYABLE = {429, 502, 503, 504}
_CANCELED = ErrorDetail("canceled", "The run was canceled.")


class Refusal(Exception):  # noqa: N818 - it is an answer, and nobody outside sees it
    """A request is answered with an ErrorEnvelope."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = ErrorDetail(code=code, message=message, retryable=status in _RETRYABLE or UNSET)


@dataclass(frozen=True)
class Script:
    """What becomes of a run."""

    output: dict[str, Any] | None = None
    error: ErrorDetail | None = None
    events: tuple[tuple[str, dict[str, Any]], ...] = ()
    holds: bool = False


class FakeRun:
    """One run, its events and its end."""

    def __init__(self, run_id: str, request: RunRequest, script: Script) -> None:
        self.request = request
        self.events: list[RunEvent] = []
        self.result: RunResult | None = None
        self.status = RunStatus(run_id, RunState.RUNNING, started_at=now())
        self._script = script
        for type_, data in script.events:
            self._tell(RunEventType(type_), data)
        if not script.holds:
            self.finish()

    def finish(self) -> None:
        """Let it end as its script says."""
        self._end(RunState.FAILED if self._script.error else RunState.SUCCEEDED, self._script.error)

    def cancel(self) -> RunStatus:
        """Let it end as canceled, if it has not ended, with the output that it would have had."""
        self._end(RunState.CANCELED, _CANCELED)
        return self.status

    def _end(self, state: RunState, error: ErrorDetail | None) -> None:
        if self.result is not None:
            return
        run_id, output = self.status.run_id, self._script.output
        self.result = RunResult(
            run_id, ok=error is None, output=UNSET if output is None else output, error=error or UNSET
        )
        self.status = RunStatus(run_id, state, started_at=self.status.started_at, ended_at=now())
        said = self.result.to_dict()
        del said["run_id"]
        self._tell(RunEventType.ERROR if error else RunEventType.FINAL, said)

    def _tell(self, type_: RunEventType, data: dict[str, Any]) -> None:
        self.events.append(RunEvent(self.status.run_id, len(self.events), type_, now(), data))


@dataclass
class FakeRuns:
    """All runs, in the order in which they came."""

    scripts: dict[str | None, Script] = field(default_factory=dict)
    by_id: dict[str, FakeRun] = field(default_factory=dict)
    by_key: dict[str, FakeRun] = field(default_factory=dict)

    def submit(self, request: RunRequest, key: str | None = None) -> RunStatus:
        """Return the status of a request's run: a new one, or that which an equal request has made before."""
        known = self.by_key.get(key) if key else self.by_id.get(request.run_id or "")
        if known is not None:
            if known.request != request:
                raise Refusal(409, "run_conflict", f"Run {known.status.run_id!r} exists with another request.")
            return known.status
        run_id = request.run_id or f"run_{len(self.by_id)}"
        run = self.by_id[run_id] = FakeRun(run_id, request, self._script_for(request.input_.goal))
        if key:
            self.by_key[key] = run
        return RunStatus(run_id, RunState.QUEUED)

    def _script_for(self, goal: str) -> Script:
        unscripted = ErrorDetail(code="not_scripted", message=f"FakeService was not told what becomes of {goal!r}.")
        return self.scripts.get(goal) or self.scripts.get(None) or Script(error=unscripted)

    def get(self, run_id: str) -> FakeRun:
        """Return a run."""
        run = self.by_id.get(run_id)
        if run is None:
            raise Refusal(404, "run_not_found", f"Run {run_id!r} does not exist.")
        return run

    def result(self, run_id: str) -> RunResult:
        """Return what came of a run that has ended."""
        result = self.get(run_id).result
        if result is None:
            raise Refusal(409, "run_not_finished", f"Run {run_id!r} is running; its result comes when it ends.")
        return result

    def page(self, query: Mapping[str, list[str]]) -> RunListResponse:
        """Return a page of the runs that fit, newest first. Its token is the number of those before it."""
        unknown = query.keys() - {"page_size", "page_token", "state", "label"}
        if unknown:
            raise Refusal(400, "invalid_request", f"FakeService does not choose runs by {', '.join(sorted(unknown))}.")
        fitting = [run for run in reversed(self.by_id.values()) if _fits(run, query)]
        # Counted from the oldest, so that those who come meanwhile shift nothing.
        token = query.get("page_token", [str(len(fitting))])[0]
        if not token.isdecimal():
            raise Refusal(400, "invalid_page_token", f"The page token {token!r} is not from this list.")
        end = int(token)
        size = int(query.get("page_size", [str(_DEFAULT_PAGE)])[0])
        shown = fitting[len(fitting) - end :][:size]
        following = str(end - size) if end > size else UNSET
        return RunListResponse([run.status for run in shown], Pagination(next_page_token=following, page_size=size))


def _fits(run: FakeRun, query: Mapping[str, list[str]]) -> bool:
    states = query.get("state")
    labels = run.request.metadata.labels if run.request.metadata else None
    has = {f"{name}={value}" for name, value in (labels or {}).items()}
    return (not states or run.status.state in states) and has.issuperset(query.get("label", ()))


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)
