"""The loopback server below a `FakeService`: HTTP/1.1 from the standard library, a thread for each connection."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from arp_sdk._fake_routes import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_sdk._fake_routes import Answer


class Service(Protocol):
    """What is served. Called from the threads of the connections."""

    def respond(self, request: Request) -> Answer:
        """Return the answer to a request."""

    def stream(self, request: Request) -> Iterator[bytes]:
        """Yield the pieces of an event stream, and wait in between; called where the answer `streams`.

        What ends with BrokenStream breaks the connection.
        """


class BrokenStream(Exception):  # noqa: N818 - nothing went wrong that was not to
    """The connection is to break here, after these bytes of another piece."""


class FakeServer(ThreadingHTTPServer):
    """Serves from its making until it is closed."""

    daemon_threads = False

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name="FakeService", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, end all connections, and wait for their threads."""
        self.shutdown()
        with self._lock:
            for connection in self._open:
                _end(connection)
        self.server_close()
        self._thread.join()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Called for each connection that comes."""
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def close_request(self, request: socket.socket) -> None:  # type: ignore[override] # it is no datagram
        """Called when a connection has ended."""
        with self._lock:
            self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Called when a connection fails, while that is handled. Whoever asked may go away at any time."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: FakeServer

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = Request(self.command, self.path, headers, body)
        answer = self.server.service.respond(request)
        if answer.streams:
            self._stream(request)
        else:
            self._answer(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815 - names that http.server looks for

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _stream(self, request: Request) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        # That the stream stands is heard before its first event.
        self.wfile.flush()
        try:
            for piece in self.server.service.stream(request):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
        except BrokenStream as broken:
            self.wfile.write(b"400\r\n%b" % broken.args[0])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_args: object) -> None:
        """Keep still: what went on, the test knows."""


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        connection.shutdown(socket.SHUT_RDWR)
