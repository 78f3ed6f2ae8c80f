"""A service under test, known by its base URL alone."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from conformance.contract import Contract
from conformance.event_stream import SentEvent, read_events
from conformance.exchange import read_json
from conformance.goals import Goals, choose_goals, not_applicable
from conformance.judgement import NotMetError, UnusableAnswerError
from conformance.patience import ANSWER_TIMEOUT_S, PatientTransport
from conformance.schemas import find_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# How long a run with a short goal may take, from its submission.
RUN_TIMEOUT_S = 30.0
# Between two questions of a service that has no event stream: the first pause, and the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.5
_ENDED = {"succeeded", "failed", "canceled"}
# With these a service that does not offer an optional operation answers.
_NOT_OFFERED = {404, 405, 501}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Json = dict[str, Any]


class Service:
    """Speaks HTTP to a service; every answer is held against the contract."""

    def __init__(self, kind: str, base_url: str, token: str | None = None) -> None:
        self.kind = kind
        self.base_url = base_url.rstrip("/")
        self.contract = Contract(kind, (token,) if token else ())
        self.http = self._client({"Authorization": f"Bearer {token}"} if token else {})
        self.without_token = self._client({})
        self.goals = Goals()
        self.selector: Json = {}
        """Which runtime a daemon is to give runs to, where it cannot choose by itself."""
        self.run_timeout_s = RUN_TIMEOUT_S

    def _client(self, headers: dict[str, str]) -> httpx.Client:
        return httpx.Client(
            base_url=self.base_url,
            headers=headers,
            timeout=ANSWER_TIMEOUT_S,
            transport=PatientTransport(),
            trust_env=False,
            event_hooks={"response": [self.contract.look]},
        )

    def close(self) -> None:
        """Close all connections."""
        self.http.close()
        self.without_token.close()

    @cached_property
    def version(self) -> Json:
        """The VersionInfo; empty where there is none that can be used."""
        response = self.http.get("/v1/version")
        try:
            document = read_json(response)
        except ValueError:
            return {}
        return document if response.is_success and isinstance(document, dict) else {}

    @property
    def features(self) -> set[str]:
        """The additions to the standard that the service announces."""
        extensions = self.version.get("extensions")
        announced = extensions.get("arp.features") if isinstance(extensions, dict) else None
        return {str(feature) for feature in announced} if isinstance(announced, list) else set()

    def need_feature(self, feature: str) -> None:
        """End the check where the service does not announce this addition."""
        if feature not in self.features:
            not_applicable(f"the service does not announce {feature!r} among its additions")

    def need_arp_exec(self) -> None:
        """End the check where a profile does not say by our extension how to launch."""
        if not self.features:
            not_applicable('profiles of this daemon do not launch by `extensions["arp.exec"]`')

    def need_loopback(self) -> None:
        """End the check where the service is not asked over the loopback interface of its own machine."""
        if self.http.base_url.host not in _LOOPBACK:
            not_applicable("the service is not on the loopback address of this machine")

    def choose_goals(self, short: str | None, long: str | None, failing: str | None) -> None:
        """Take these goals for the runs to come, or our default agent's."""
        self.goals = choose_goals(short, long, failing, has_features=bool(self.features))

    def submit(self, goal: str, **request: Any) -> Json:
        """Submit a run that must be accepted; return its RunStatus. `data` goes into the input."""
        input_ = {"goal": goal, **({"data": request.pop("data")} if "data" in request else {})}
        return self.submit_request({"input": input_, **request})

    def submit_request(self, request: Mapping[str, Any]) -> Json:
        """Submit a RunRequest that must be accepted; return its RunStatus."""
        selected = {"runtime_selector": self.selector, **request} if self.selector else request
        response = self.http.post("/v1/runs", json=selected)
        if (
            self.kind == "daemon"
            and response.status_code in {404, 409, 503}
            and not self.features
            and not self.selector
        ):
            not_applicable("the daemon has no runtime for runs: name one with --runtime-profile or --runtime-url")
        return _success(response, "run.submit")

    def status(self, run_id: str) -> Json:
        """Return the RunStatus."""
        return _success(self.http.get(f"/v1/runs/{run_id}"), "run.status")

    def result(self, run_id: str) -> Json:
        """Return the RunResult of a run that has ended."""
        return _success(self.http.get(f"/v1/runs/{run_id}/result"), "run.result")

    def cancel(self, run_id: str) -> Json:
        """Cancel a run; return its RunStatus."""
        response = self.http.post(f"/v1/runs/{run_id}:cancel")
        if "run.cancel" not in self.features and response.is_error:
            not_applicable(f"canceling is optional, and not offered: {response.status_code}")
        return _success(response, self.contract.requirement_of("cancel_run"))

    @contextmanager
    def following(
        self, run_id: str, last_event_id: str | None = None, **parameters: str
    ) -> Iterator[Iterator[SentEvent]]:
        """Follow a run's events; leaving the block closes the connection."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        path = f"/v1/runs/{run_id}/events"
        with self.http.stream("GET", path, headers=headers, params=parameters) as response:
            if "run.events" not in self.features and response.status_code in _NOT_OFFERED:
                not_applicable(f"event streams are optional, and not offered: {response.status_code}")
            yield self._checked(response, run_id)

    def events(self, run_id: str, last_event_id: str | None = None) -> list[SentEvent]:
        """Follow a run to its end; return all events after the one that was seen last."""
        with self.following(run_id, last_event_id) as events:
            return list(events)

    def finish(self, run_id: str) -> tuple[Json, Json]:
        """Wait for a run's end; return its RunStatus and RunResult.

        An event stream tells the end; where the service announces none, it is asked again and again.
        """
        if "run.events" in self.features:
            self.events(run_id)
        return self._poll(run_id), self.result(run_id)

    def run(self, goal: str, **request: Any) -> tuple[Json, Json]:
        """Submit a run and wait for its end; return its RunStatus and RunResult."""
        return self.finish(self.submit(goal, **request)["run_id"])

    def _poll(self, run_id: str) -> Json:
        deadline, pause = time.monotonic() + self.run_timeout_s, _FIRST_PAUSE_S
        while (status := self.status(run_id))["state"] not in _ENDED:
            if time.monotonic() > deadline:
                message = f"a run with a short goal ends; after {self.run_timeout_s:g} s it is {status['state']}"
                raise NotMetError(message, "run.ends")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        return status

    def _checked(self, response: httpx.Response, run_id: str) -> Iterator[SentEvent]:
        requirement = self.contract.requirement_of("stream_run_events")
        for sent in read_events(response, requirement):
            faults = find_faults(sent.data, "runtime/runs/run_event")
            if faults:
                raise NotMetError(f"what is sent is a RunEvent; {faults}", requirement)
            if sent.data["run_id"] != run_id:
                raise NotMetError(
                    f"events are of the run that was asked for, not of {sent.data['run_id']}", requirement
                )
            framed = (sent.id, sent.event) == (str(sent.data["seq"]), sent.data["type"])
            if not framed and "run.events" in self.features:
                raise NotMetError("`id:` is the seq of the event, and `event:` its type", "events.frames")
            yield sent


def read(response: httpx.Response, schema: str, status: int = 200) -> Json:
    """Return the JSON body of an answer that must have this status and fit this schema."""
    document: Json = read_any(response, schema, status)
    return document


def read_any(response: httpx.Response, schema: str, status: int = 200) -> Any:
    """Return the body of such an answer, whatever JSON it is."""
    if response.status_code != status:
        raise NotMetError(f"the answer is {status}, not {response.status_code}")
    try:
        document = read_json(response)
    except ValueError as exc:
        raise UnusableAnswerError(f"the answer is a {schema} in JSON: {exc}") from exc
    faults = find_faults(document, schema)
    if faults:
        raise UnusableAnswerError(f"the answer is a valid {schema}; {faults}")
    return document


def read_error(response: httpx.Response, status: int, code: str) -> Json:
    """Return the `error` of an answer that must be an ErrorEnvelope with this status and code."""
    error: Json = read(response, "common/error", status)["error"]
    if error["code"] != code:
        raise NotMetError(f"the code of the error is {code!r}, not {error['code']!r}")
    assert error["message"]
    return error


def assert_refused(response: httpx.Response) -> None:
    """Fail unless the answer says that the request was not carried out, and that this is the request's fault.

    (That it is an ErrorEnvelope is seen to for every answer.)
    """
    if not response.is_client_error:
        raise NotMetError(f"the request is refused with 4xx, not answered with {response.status_code}")


def new_id(prefix: str) -> str:
    """An id that nothing has yet."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def _success(response: httpx.Response, requirement: str) -> Json:
    """The object in an answer that must be a success; its shape is seen to for every answer."""
    if not response.is_success:
        raise NotMetError(f"the answer is a success, not {response.status_code}", requirement)
    try:
        document = read_json(response)
    except ValueError as exc:
        raise NotMetError(f"the answer is JSON: {exc}", requirement) from exc
    if not isinstance(document, dict):
        raise NotMetError("the answer is a JSON object", requirement)
    return document
