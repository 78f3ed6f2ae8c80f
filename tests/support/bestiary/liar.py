"""A runtime that lies: each run's goal says how. For `{host}` `{port}`.

Usage: liar.py HOST PORT [FEATURE...]. It prints its address. What it does not lie about it does well: any other goal is
echoed at once. The goals:

- a key of `_WORDS`: what it says in events. After all but "deaf" the run goes on until it is canceled.
- "refuse-503-twice": it is busy, until it is asked for the third time; "refuse-400": it never takes the run.
- `hand-over-LIE`, `status-LIE`, `result-LIE`: with LIE, a key of `_LIES`, it answers that call.

A feature `stream-LIE` is a lie of the instance: with it, it answers whoever wants the stream of all events.
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
_STEP_S = 0.1
_PIECE = b"x" * 65536
_DEEP = b"[" * 5000 + b"]" * 5000
_features: list[str] = []
_changed = threading.Condition()
_feed: list[bytes] = []
_runs: dict[str, _Run] = {}
_refused: list[str] = []


class _Run:
    """What it knows of a run, and says of it."""

    def __init__(self, run_id: str, goal: str) -> None:
        self.run_id = run_id
        self.goal = goal
        self.looks = 0
        words = _WORDS.get(goal, _echo)(run_id, goal)
        self.log = [_frame(seq, word) for seq, word in enumerate(words)]
        self.state = "running" if goal in _WORDS or goal == "status-back" else "succeeded"

    def lies_about(self, call: str) -> Callable[[_Handler, _Run], None] | None:
        """The lie with which it answers a call, or None."""
        return _LIES.get(self.goal.removeprefix(f"{call}-")) if self.goal.startswith(f"{call}-") else None

    def status(self) -> dict[str, Any]:
        self.looks += 1
        back = self.goal == "status-back" and self.looks > 1
        return {"run_id": self.run_id, "state": "queued" if back else self.state}

    def result(self) -> dict[str, Any]:
        parts = {"ok": False, "error": {"code": "oh", "message": "no"}} if self.goal == "result-mismatch" else {}
        return {"run_id": self.run_id, "ok": True, "output": {"echo": self.goal}, **parts}


def _event(run_id: str, seq: int, type_: str = "token", **parts: Any) -> bytes:
    event = {"run_id": run_id, "seq": seq, "type": type_, "time": _TIME, "data": {"text": f"{seq} "}, **parts}
    return json.dumps(event).encode()


def _echo(run_id: str, goal: str) -> list[bytes]:
    return [_event(run_id, 0), _event(run_id, 1, "final", data={"ok": True, "output": {"echo": goal}})]


def _said(*words: Callable[[str], bytes]) -> Callable[[str, str], list[bytes]]:
    return lambda run_id, _goal: [_event(run_id, 0), *(word(run_id) for word in words)]


_WORDS: dict[str, Callable[[str, str], list[bytes]]] = {
    "deaf": _said(),
    "bad-json": _said(lambda run_id: b'{"run_id": "%b", "seq": 1, oh no' % run_id.encode()),
    "cut-json": _said(lambda run_id: b'{"run_id": "%b", "seq": 1}' % run_id.encode()),
    "gap": _said(lambda run_id: _event(run_id, 2)),
    "gap-at-the-end": _said(lambda run_id: _event(run_id, 2, "error", data={"ok": False})),
    "again-different": _said(lambda run_id: _event(run_id, 0, data={"text": "different"})),
    "ok-in-error": _said(lambda run_id: _event(run_id, 1, "error", data={"ok": True})),
    "no-result": _said(lambda run_id: _event(run_id, 1, "final", data={"ok": "yes"})),
    "unheard-of-type": _said(lambda run_id: _event(run_id, 1, "gossip")),
    "nested": _said(lambda run_id: _event(run_id, 1)[:-1] + b', "extensions": {"a.b": ' + _DEEP + b"}}"),
    "endless-event": _said(lambda run_id: _event(run_id, 1, data={"text": "x" * 17 * 1024 * 1024})),
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
                self.answer(200, {"status": "ok", "time": _TIME})
            case ["version"]:
                self.answer(200, _version())
            case ["events"] if "events" in _features:
                self._stream_all()
            case ["runs", _] if run is not None:
                self._tell(run, "status", run.status())
            case ["runs", _, "result"] if run is not None:
                self._tell(run, "result", run.result())
            case ["runs", _, "events"] if run is not None and "run.events" in _features:
                self._stream(run.log)
            case ["elsewhere", run_id]:  # where no redirect should lead
                self.answer(200, {"run_id": run_id, "state": "canceled", "ok": False})
            case _:
                self.answer(404, {"error": {"code": "not_found", "message": self.path}})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        run_id, _, verb = self.path.removeprefix("/v1/runs/").partition(":")
        if self.path == "/v1/runs":
            request = json.loads(body)
            run = _Run(request["run_id"], request["input"]["goal"])
            lie = run.lies_about("hand-over") or _refusal(run)
            self.answer(200, _take(run)) if lie is None else lie(self, run)
        elif verb == "cancel" and run_id in _runs:
            _runs[run_id].state = "running" if _runs[run_id].goal == "deaf" else "canceled"
            self._tell(_runs[run_id], "status", _runs[run_id].status())
        else:
            self.answer(404, {"error": {"code": "not_found", "message": self.path}})

    def log_message(self, *_args: object) -> None:
        return

    def answer(self, status: int, body: dict[str, Any] | bytes, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def answer_for_ever(self, piece: bytes, pause_s: float, media_type: str = "application/json") -> None:
        """Pieces of one body, until the reader goes."""
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        never = threading.Event()
        try:
            while not never.wait(pause_s):
                self.wfile.write(piece)
        except OSError:
            return

    def _tell(self, run: _Run, call: str, truth: dict[str, Any]) -> None:
        lie = run.lies_about(call)
        self.answer(200, truth) if lie is None else lie(self, run)

    def _stream_all(self) -> None:
        lies = [_LIES[word.removeprefix("stream-")] for word in _features if word.startswith("stream-")]
        lies[0](self, _Run("nobody", "")) if lies else self._stream(_feed)

    def _stream(self, frames: list[bytes]) -> None:
        """All frames after the last one that was seen, and those that come, until the reader goes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
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


def _refusal(run: _Run) -> Callable[[_Handler, _Run], None] | None:
    """No lie: some runs are refused."""
    oh_no = {"error": {"code": "oh", "message": "no"}}
    if run.goal == "refuse-400":
        return lambda handler, _run: handler.answer(400, oh_no)
    if run.goal == "refuse-503-twice" and len(_refused) < 2:
        _refused.append(run.run_id)
        return lambda handler, _run: handler.answer(503, oh_no)
    return None


def _garble(handler: _Handler, _run: _Run) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.close_connection = True


_LIES: dict[str, Callable[[_Handler, _Run], None]] = {
    "500": lambda handler, _run: handler.answer(500, {"error": {"code": "oh", "message": "no"}}),
    "redirect": lambda handler, run: handler.answer(307, b"", Location=f"/v1/elsewhere/{run.run_id}"),
    "html": lambda handler, _run: handler.answer(200, b"<html>Welcome to nginx!</html>", Content_Type="text/html"),
    "other": lambda handler, _run: handler.answer(200, {"run_id": "another", "state": "succeeded", "ok": True}),
    "odd-id": lambda handler, _run: handler.answer(200, {"run_id": "../\r\n\0é", "state": "running", "ok": True}),
    "nested": lambda handler, _run: handler.answer(200, _DEEP),
    "endless": lambda handler, _run: handler.answer_for_ever(_PIECE, 0.0),
    "zipped": lambda handler, _run: handler.answer(200, b"\x1f\x8b", Content_Encoding="gzip"),
    "garble": _garble,
    "early": lambda handler, _run: handler.answer(409, {"error": {"code": "run_not_finished", "message": "wait"}}),
    "drip": lambda handler, _run: handler.answer_for_ever(b" ", _STEP_S),
    "closed": lambda handler, _run: handler.answer(200, b"", Content_Type="text/event-stream"),
    "odd-cursor": lambda handler, _run: handler.answer(200, b"id: \x00\ndata: x\n\n", Content_Type="text/event-stream"),
    "endless-event": lambda handler, _run: handler.answer_for_ever(_PIECE, 0.0, "text/event-stream"),
}


def _version() -> dict[str, Any]:
    known = {"service_name": "liar", "service_version": "0.0.1", "supported_api_versions": ["v1"]}
    return {**known, "extensions": {"arp.features": _features}}


def _take(run: _Run) -> dict[str, Any]:
    with _changed:
        if _runs.setdefault(run.run_id, run) is run:
            words = [frame.partition(b"data: ")[2].strip() for frame in run.log]
            _feed.extend([_frame(len(_feed) + n, word) for n, word in enumerate(words)])
            _changed.notify_all()
    return {"run_id": run.run_id, "state": "queued"}


if __name__ == "__main__":
    _features.extend(sys.argv[3:])
    server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), _Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
