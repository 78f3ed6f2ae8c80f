"""A service that writes down what it hears, and answers with what it was told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Headers that say which program asks, or where; all others are part of what is compared.
_OWN = {"host", "user-agent", "connection", "accept-encoding", "accept", "content-length"}


class Listener:
    """Listens on a port of its own while a `with` block runs. `answers` has status and JSON body by method and path."""

    def __init__(self, answers: dict[str, tuple[int, Any]]) -> None:
        self.answers = answers
        self.heard: list[dict[str, Any]] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                listener.heard.append(_heard(self, body))
                status, answer = listener.answers.get(f"{self.command} {self.path}", (200, {}))
                raw = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                if status in {301, 302, 307, 308}:
                    self.send_header("Location", answer["location"])
                self.send_header("Content-Type", "text/event-stream" if raw.startswith(b"id:") else "application/json")
                if status != 204:
                    self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(raw)

            def log_message(self, *_: Any) -> None:
                """What is heard is told otherwise."""

        for method in ("GET", "POST", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Listener:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[dict[str, Any]]:
        """What was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard


def _heard(request: BaseHTTPRequestHandler, body: bytes) -> dict[str, Any]:
    headers = dict(_headers(request))
    return {
        "asked": f"{request.command} {request.path}",
        "headers": headers,
        "body": json.loads(body) if body else None,
    }


def _headers(request: BaseHTTPRequestHandler) -> Iterator[tuple[str, str]]:
    for name, value in request.headers.items():
        if name.lower() not in _OWN:
            yield name.lower(), value
