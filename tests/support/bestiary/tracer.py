"""A runtime that ends each run at once and has a trace of it, told as the run's goal says. For `{host}` `{port}`.

Usage: tracer.py HOST PORT. The goals are the keys of `_TRACES`; with "silent" nothing is answered at all, with
"endless" it never ends, and with "error" it is a 500. What any other goal says is a trace of one entry, long ago.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_goals: dict[str, str] = {}


def _entry(run_id: str, text: str, time: str = "2001-01-01T00:00:00Z") -> dict[str, Any]:
    data = {"text": text, "secret": os.environ.get("SECRET")}
    return {"run_id": run_id, "seq": 0, "time": time, "level": "info", "type": "said", "data": data}


_TRACES: dict[str, Callable[[str], bytes]] = {
    "junk": lambda _run_id: b"{junk",
    "another": lambda _run_id: json.dumps({"events": [_entry("another", "x")]}).encode(),
    "deep": lambda run_id: (
        json.dumps({"events": [_entry(run_id, "x")]}).encode().replace(b'"x"', b"[" * 500 + b"]" * 500)
    ),
    "timeless": lambda run_id: json.dumps({"events": [_entry(run_id, "x", "yesterday")]}).encode(),
    "empty": lambda _run_id: b"{}",
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, _, kind, *rest = self.path.split("/")
        version = {
            "service_name": "tracer",
            "service_version": "0.0.1",
            "supported_api_versions": ["v1"],
            "extensions": {"arp.features": ["run.trace"]},
        }
        if kind != "runs":
            self._answer(json.dumps(version if kind == "version" else _HEALTH).encode())
        elif rest[1:] == ["trace"]:
            self._tell(rest[0], _goals[rest[0]])
        elif rest[1:] == ["result"]:
            self._answer(json.dumps({"run_id": rest[0], "ok": True}).encode())
        else:
            self._answer(json.dumps({"run_id": rest[0], "state": "succeeded"}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _goals[body["run_id"]] = body["input"]["goal"]
        self._answer(json.dumps({"run_id": body["run_id"], "state": "queued"}).encode())

    def log_message(self, *_args: object) -> None:
        return

    def _tell(self, run_id: str, goal: str) -> None:
        if goal == "silent":
            threading.Event().wait()
        elif goal == "error":
            self._answer(b"{}", 500)
        elif goal == "endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b" " * 65536)
        elif goal in _TRACES:
            self._answer(_TRACES[goal](run_id))
        else:
            self._answer(json.dumps({"events": [_entry(run_id, goal)]}).encode())

    def _answer(self, content: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        """Who is not listened to any more has no reason to complain."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


_HEALTH = {"status": "ok", "time": "2026-01-01T00:00:00Z"}

if __name__ == "__main__":
    server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), _Handler)
    server.daemon_threads = True
    server.serve_forever()
