"""A service under test, known by its base URL alone."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from conformance.event_stream import SentEvent, read_events
from conformance.schemas import assert_valid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# How long any answer may take; launching an instance is the slowest.
_ANSWER_TIMEOUT_S = 40
# A run is submitted: the two services answer with different codes, each as the standard has it.
_SUBMITTED = {"runtime": 200, "daemon": 202}

Json = dict[str, Any]


class Service:
    """Speaks HTTP to a runtime or a daemon; every answer is held against its schema."""

    def __init__(self, kind: str, base_url: str) -> None:
        self.kind = kind
        self.base_url = base_url.rstrip("/")
        self.http = httpx.Client(base_url=self.base_url, timeout=_ANSWER_TIMEOUT_S, trust_env=False)

    def submit(self, goal: str, **request: Any) -> Json:
        """Submit a run that must be accepted; return its RunStatus. `data` goes into the input."""
        input_ = {"goal": goal, **({"data": request.pop("data")} if "data" in request else {})}
        return self.submit_request({"input": input_, **request})

    def submit_request(self, request: Mapping[str, Any]) -> Json:
        """Submit a RunRequest that must be accepted; return its RunStatus."""
        response = self.http.post("/v1/runs", json=request)
        return read(response, "runtime/runs/run_status", _SUBMITTED[self.kind])

    def status(self, run_id: str) -> Json:
        """Return the RunStatus."""
        return read(self.http.get(f"/v1/runs/{run_id}"), "runtime/runs/run_status")

    def result(self, run_id: str) -> Json:
        """Return the RunResult of a run that has ended."""
        return read(self.http.get(f"/v1/runs/{run_id}/result"), "runtime/runs/run_result")

    def cancel(self, run_id: str) -> Json:
        """Cancel a run; return its RunStatus."""
        return read(self.http.post(f"/v1/runs/{run_id}:cancel"), "runtime/runs/run_status")

    @contextmanager
    def following(
        self, run_id: str, last_event_id: str | None = None, **parameters: str
    ) -> Iterator[Iterator[SentEvent]]:
        """Follow a run's events; leaving the block closes the connection."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        path = f"/v1/runs/{run_id}/events"
        with self.http.stream("GET", path, headers=headers, params=parameters) as response:
            yield self._checked(response, run_id)

    def events(self, run_id: str, last_event_id: str | None = None) -> list[SentEvent]:
        """Follow a run to its end; return all events after the one that was seen last."""
        with self.following(run_id, last_event_id) as events:
            return list(events)

    def finish(self, run_id: str) -> tuple[Json, Json]:
        """Wait for a run's end, which its event stream tells; return its RunStatus and RunResult."""
        self.events(run_id)
        return self.status(run_id), self.result(run_id)

    def run(self, goal: str, **request: Any) -> tuple[Json, Json]:
        """Submit a run and wait for its end; return its RunStatus and RunResult."""
        return self.finish(self.submit(goal, **request)["run_id"])

    def _checked(self, response: httpx.Response, run_id: str) -> Iterator[SentEvent]:
        for sent in read_events(response):
            assert_valid(sent.data, "runtime/runs/run_event")
            assert (sent.id, sent.event) == (str(sent.data["seq"]), sent.data["type"])
            assert sent.data["run_id"] == run_id
            yield sent


def read(response: httpx.Response, schema: str, status: int = 200) -> Json:
    """Return the JSON body of an answer that must have this status and fit this schema."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    document: Json = response.json()
    assert_valid(document, schema)
    return document


def read_error(response: httpx.Response, status: int, code: str) -> Json:
    """Return the `error` of an answer that must be an ErrorEnvelope with this status and code."""
    error: Json = read(response, "common/error", status)["error"]
    assert error["code"] == code, error
    assert error["message"]
    return error


def new_id(prefix: str) -> str:
    """An id that nothing has yet."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
