"""A small runtime, whole and right but for the flaws that it is given: what a conformance suite has to find.

It executes a run while it is asked for, has neither events nor canceling, and keeps everything in memory.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from contracts.spec import validator

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "correct-horse-battery-staple"
_REQUEST = "runtime/runs/run_request.schema.json"


class Flaw(StrEnum):
    """What can be wrong with it."""

    OWN_ERRORS = "errors have a shape of their own"
    TEXT_ERRORS = "errors are text"
    BREAKS_DOWN = "what is wrong breaks it down"
    TAKES_ANYTHING = "no request is looked at"
    OTHER_STATUS = "a run that is made is a 201"
    MORE_FIELDS = "statuses have a field of its own"
    LOCAL_TIMES = "times have no zone"
    OTHER_ID = "a run gets another id than the one asked for"
    NEVER_ENDS = "runs do not end"
    RESULT_OF_NOBODY = "results name another run"
    OLD_VERSION = "it speaks v0 only"
    TALKS_TO_NOBODY = "health asks for a token"
    NO_CHALLENGE = "a 401 does not say what is asked for"
    INVENTS_RUNS = "it knows every run"
    LEAVES = "it is gone once the first look is over"
    NESTS = "its version is nested deeper than anybody reads"
    PRETENDS = "it announces additions of which it has none"
    ASKS_FOR_A_TOKEN = "no flaw: it asks for a token"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece, which nobody delays
    flaws: frozenset[Flaw]
    runs: dict[str, dict[str, Any]]

    def do_GET(self) -> None:
        health = {"status": "ok", "time": self._now()}
        versions = ["v0" if Flaw.OLD_VERSION in self.flaws else "v1"]
        version = {"service_name": "flawed", "service_version": "0.1", "supported_api_versions": versions}
        more = {"extensions": {"arp.features": ["nothing"]}} if Flaw.PRETENDS in self.flaws else {}
        match self.path.split("/")[2:]:
            case ["health"] if Flaw.TALKS_TO_NOBODY not in self.flaws or self._is_let_in():
                self._answer(200, health)
            case ["version"]:
                self._answer(200, {**version, **more}, b"[" * 100_000 if Flaw.NESTS in self.flaws else None)
            case ["runs", run_id, *rest] if self._is_let_in():
                self._answer_of_run(run_id, rest)
            case _:
                self._refuse(404 if self._is_let_in() else 401)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if not self._is_let_in():
            self._refuse(401)
        elif self.path == "/v1/runs":
            self._create_run(body)
        else:
            self._refuse(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _create_run(self, body: bytes) -> None:
        try:
            request = json.loads(body)
        except ValueError:
            request = None
        if not validator(_REQUEST).is_valid(request) and Flaw.TAKES_ANYTHING not in self.flaws:
            self._refuse(500 if Flaw.BREAKS_DOWN in self.flaws else 400)
            return
        asked = request.get("run_id") if isinstance(request, dict) and Flaw.OTHER_ID not in self.flaws else None
        run_id = str(asked or f"run_{uuid.uuid4().hex}")
        self.runs[run_id] = self._status(run_id)
        self._answer(201 if Flaw.OTHER_STATUS in self.flaws else 200, self.runs[run_id])

    def _answer_of_run(self, run_id: str, rest: list[str]) -> None:
        if Flaw.LEAVES in self.flaws:
            self.server.shutdown()
            self.server.server_close()
            self.close_connection = True
        status = self.runs.get(run_id) or (self._status(run_id) if Flaw.INVENTS_RUNS in self.flaws else None)
        if status is None or rest not in ([], ["result"]):
            self._refuse(404)
        elif rest:
            named = "somebody-else" if Flaw.RESULT_OF_NOBODY in self.flaws else run_id
            self._answer(200, {"run_id": named, "ok": True, "output": {"text": "437"}})
        else:
            self._answer(200, status)

    def _status(self, run_id: str) -> dict[str, Any]:
        state = "running" if Flaw.NEVER_ENDS in self.flaws else "succeeded"
        more = {"colour": "red"} if Flaw.MORE_FIELDS in self.flaws else {}
        return {"run_id": run_id, "state": state, **more}

    def _now(self) -> str:
        now = datetime.now(UTC)
        return (now.replace(tzinfo=None) if Flaw.LOCAL_TIMES in self.flaws else now).isoformat()

    def _is_let_in(self) -> bool:
        asks = self.flaws & {Flaw.ASKS_FOR_A_TOKEN, Flaw.NO_CHALLENGE, Flaw.TALKS_TO_NOBODY}
        return not asks or self.headers["Authorization"] == f"Bearer {TOKEN}"

    def _refuse(self, status: int) -> None:
        if Flaw.TEXT_ERRORS in self.flaws:
            self._answer(status, "no")
        elif Flaw.OWN_ERRORS in self.flaws:
            self._answer(status, {"detail": "no", "said": self.headers["Authorization"]})
        else:
            self._answer(status, {"error": {"code": "refused", "message": "No."}})

    def _answer(self, status: int, document: Any, instead: bytes | None = None) -> None:
        text = isinstance(document, str)
        body = instead or (document.encode() if text else json.dumps(document).encode())
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if text else "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if status == 401 and Flaw.NO_CHALLENGE not in self.flaws:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def flawed_runtime(*flaws: Flaw) -> Iterator[str]:
    """Serve it, for the block; yield its URL."""
    handler = type("Handler", (_Handler,), {"flaws": frozenset(flaws), "runs": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
