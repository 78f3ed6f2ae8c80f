"""What a `FakeService` answers to a request. No I/O: a request's parts in, an answer's parts out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from arp_model import (
    ErrorEnvelope,
    Health,
    RunBatchItem,
    RunBatchRequest,
    RunBatchResponse,
    RunRequest,
    Status,
    VersionInfo,
)
from arp_sdk._fake_runs import FakeRuns, Refusal, now
from arp_sdk._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_model import Model


@dataclass(frozen=True)
class Request:
    """A request as it came: the target as on the wire, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, unescaped."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters."""
        return parse_qs(urlsplit(self.target).query)

    @property
    def words(self) -> list[str]:
        """The path in pieces, without `/v1/`; what follows a colon is a piece of its own."""
        return self.path.removeprefix("/v1/").replace(":", "/:").split("/")


@dataclass(frozen=True)
class Answer:
    """An answer in JSON; or, where it `streams`, the word that there is an event stream to give."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: bool = False


@dataclass
class FakeRoutes:
    """The built-in answers, and those that were told."""

    runs: FakeRuns = field(default_factory=FakeRuns)
    told: dict[tuple[str, str], Answer] = field(default_factory=dict)
    troubles: list[Answer] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request."""
        if self.troubles:
            return self.troubles.pop(0)
        if (request.method, request.path) in self.told:
            return self.told[request.method, request.path]
        try:
            status, body = self._route(request)
        except Refusal as exc:
            return refuse(exc)
        except msgspec.DecodeError as exc:
            code = "invalid_request" if isinstance(exc, msgspec.ValidationError) else "invalid_json"
            return refuse(Refusal(400, code, str(exc)))
        except ValueError as exc:
            return refuse(Refusal(400, "invalid_request", str(exc)))
        return Answer(status, body.to_json(), streams=request.method == "GET" and request.words[-1] == "events")

    def _route(self, request: Request) -> tuple[int, Model]:
        if request.method == "GET":
            return 200, self._get(request)
        match request.words:
            case ["runs"]:
                key = request.headers.get("idempotency-key")
                return 202, self.runs.submit(RunRequest.from_json(request.body), key)
            case ["runs", ":batch"]:
                batch = RunBatchRequest.from_json(request.body)
                return 200, RunBatchResponse([self._submit(item) for item in batch.runs])
            case ["runs", run_id, ":cancel"]:
                return 200, self.runs.get(run_id).cancel()
        raise self._unknown(request)

    def _get(self, request: Request) -> Model:
        match request.words:
            case ["health"]:
                return Health(status=Status.OK, time=now())
            case ["version"]:
                return VersionInfo(
                    service_name="arp-sdk-fake", service_version=__version__, supported_api_versions=["v1"]
                )
            case ["runs"]:
                return self.runs.page(request.query)
            case ["runs", run_id]:
                return self.runs.get(run_id).status
            case ["runs", run_id, "events"]:
                next_event(request)
                return self.runs.get(run_id).status
            case ["runs", run_id, "result"]:
                return self.runs.result(run_id)
        raise self._unknown(request)

    def _submit(self, request: RunRequest) -> RunBatchItem:
        try:
            return RunBatchItem(status=self.runs.submit(request))
        except Refusal as exc:
            return RunBatchItem(error=exc.error)

    @staticmethod
    def _unknown(request: Request) -> Refusal:
        return Refusal(404, "not_found", f"FakeService was not told what to answer to {request.method} {request.path}.")


def refuse(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the answer that a refusal is."""
    return Answer(refusal.status, ErrorEnvelope(error=refusal.error).to_json(), headers or {})


def next_event(request: Request) -> int:
    """Return the seq of the first event that a stream's reader has not seen."""
    seen = request.headers.get("last-event-id") or request.query.get("after", ["-1"])[0]
    return int(seen) + 1
