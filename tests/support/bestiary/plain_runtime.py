"""A runtime that knows only what the standard requires: no events, no cancel, no batch.

Usage: plain_runtime.py HOST PORT, or plain_runtime.py PATH of a Unix socket. The goal "fail" fails; any other is
echoed. A run takes two looks at its status.
The goal "later" is refused four times, as by a runtime that is busy.
"""

from __future__ import annotations

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_BUSY_FOR = 4

_runs: dict[str, dict[str, Any]] = {}
_refused: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.removeprefix("/v1/")
        if name == "health":
            self._answer(200, {"status": "ok", "time": "2026-01-01T00:00:00Z"})
        elif name == "version":
            version = {"service_name": "plain", "service_version": "0.0.1", "supported_api_versions": ["v1"]}
            self._answer(200, version)
        elif name.endswith("/result") and name.split("/")[1] in _runs:
            self._answer(200, _result(name.split("/")[1]))
        elif name.startswith("runs/") and name.split("/")[-1] in _runs:
            self._answer(200, _status(name.split("/")[1]))
        else:
            self._answer(404, {"error": {"code": "not_found", "message": self.path}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/runs":
            self._answer(404, {"error": {"code": "not_found", "message": self.path}})
            return
        if body["input"]["goal"] == "later" and len(_refused) < _BUSY_FOR:
            _refused.append(body["run_id"])
            self._answer(503, {"error": {"code": "busy", "message": "later"}})
            return
        _runs[body["run_id"]] = {"goal": body["input"]["goal"], "looks": 0}
        self._answer(200, {"run_id": body["run_id"], "state": "queued"})

    def log_message(self, *_args: object) -> None:
        return

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _status(run_id: str) -> dict[str, Any]:
    run = _runs[run_id]
    run["looks"] += 1
    if run["looks"] < 3:
        return {"run_id": run_id, "state": "running"}
    return {"run_id": run_id, "state": "failed" if run["goal"] == "fail" else "succeeded"}


def _result(run_id: str) -> dict[str, Any]:
    goal = _runs[run_id]["goal"]
    if goal == "fail":
        return {"run_id": run_id, "ok": False, "error": {"code": "told_so", "message": "as asked"}}
    return {"run_id": run_id, "ok": True, "output": {"echo": goal}}


class _UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, _ = self.socket.accept()
        return connection, ("localhost", 0)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        _UnixServer(sys.argv[1], _Handler).serve_forever()  # type: ignore[arg-type] # a path is an address, too
    else:
        ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), _Handler).serve_forever()
