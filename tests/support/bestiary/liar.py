"""A runtime that lies: each run's goal says how. For `{host}` `{port}`.

Usage: liar.py HOST PORT [FEATURE...]. It prints its address. What it does not lie about it does well: any other goal is
echoed at once. The goals are the keys of `_WORDS` (what it says in events) and "deaf": it says one token, works for
ever, and hears no cancel.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_TIME = "2026-01-01T00:00:00Z"
_STEP_S = 0.2
_features: list[str] = []
_changed = threading.Condition()
_feed: list[bytes] = []
_runs: dict[str, _Run] = {}


class _Run:
    """What it knows of a run, and says of it."""

    def __init__(self, run_id: str, goal: str) -> None:
        self.run_id = run_id
        self.goal = goal
        self.looks = 0
        words = _WORDS.get(goal.partition(":")[0], _echo)(run_id, goal)
        self.log = [_frame(seq, word) for seq, word in enumerate(words)]
        self.ended = words == _echo(run_id, goal)

    def status(self) -> dict[str, Any]:
        self.looks += 1
        return {"run_id": self.run_id, "state": "succeeded" if self.ended else "running"}

    def result(self) -> dict[str, Any]:
        return {"run_id": self.run_id, "ok": True, "output": {"echo": self.goal}}


def _event(run_id: str, seq: int, type_: str = "token", **parts: Any) -> bytes:
    event = {"run_id": run_id, "seq": seq, "type": type_, "time": _TIME, "data": {"text": f"{seq} "}, **parts}
    return json.dumps(event).encode()


def _final(run_id: str, seq: int, goal: str) -> bytes:
    return _event(run_id, seq, "final", data={"ok": True, "output": {"echo": goal}})


def _echo(run_id: str, goal: str) -> list[bytes]:
    return [_event(run_id, 0), _final(run_id, 1, goal)]


_WORDS: dict[str, Callable[[str, str], list[bytes]]] = {
    "deaf": lambda run_id, _goal: [_event(run_id, 0)],
}


def _frame(id_: int, data: bytes) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (id_, data)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = self.path.removeprefix("/v1/").split("/")
        run = _runs.get(parts[1]) if len(parts) > 1 else None
        match parts:
            case ["health"]:
                self._answer(200, {"status": "ok", "time": _TIME})
            case ["version"]:
                self._answer(200, _version())
            case ["events"] if "events" in _features:
                self._stream(_feed)
            case ["runs", _] if run is not None:
                self._answer(200, run.status())
            case ["runs", _, "result"] if run is not None:
                self._answer(200, run.result())
            case ["runs", _, "events"] if run is not None and "run.events" in _features:
                self._stream(run.log)
            case _:
                self._answer(404, {"error": {"code": "not_found", "message": self.path}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        run_id, _, verb = self.path.removeprefix("/v1/runs/").partition(":")
        if self.path == "/v1/runs":
            self._answer(200, _create(json.loads(body)))
        elif verb == "cancel" and run_id in _runs:
            self._answer(200, _runs[run_id].status())
        else:
            self._answer(404, {"error": {"code": "not_found", "message": self.path}})

    def log_message(self, *_args: object) -> None:
        return

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, frames: list[bytes]) -> None:
        """All frames after the last one that was seen, and those that come, until the reader goes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        sent = int(self.headers.get("Last-Event-ID", "-1")) + 1
        while True:
            with _changed:
                if len(frames) == sent:
                    _changed.wait(_STEP_S)
                fresh = frames[sent:]
            sent += len(fresh)
            try:
                self.wfile.write(b"".join(fresh) or b": still here\n\n")
            except OSError:
                return


def _version() -> dict[str, Any]:
    known = {"service_name": "liar", "service_version": "0.0.1", "supported_api_versions": ["v1"]}
    return {**known, "extensions": {"arp.features": _features}}


def _create(request: dict[str, Any]) -> dict[str, Any]:
    with _changed:
        run = _runs.setdefault(request["run_id"], _Run(request["run_id"], request["input"]["goal"]))
        if run.looks == 0:
            words = [frame.partition(b"data: ")[2].strip() for frame in run.log]
            _feed.extend([_frame(len(_feed) + n, word) for n, word in enumerate(words)])
        _changed.notify_all()
    return {"run_id": run.run_id, "state": "queued"}


if __name__ == "__main__":
    _features.extend(sys.argv[3:])
    server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), _Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
