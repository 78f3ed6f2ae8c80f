"""A service that gives one answer to everybody, byte for byte."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(answer: bytes, endless: bytes = b"") -> Iterator[str]:
    """Serve it, for the block; yield its URL. What is `endless` follows until the reader leaves."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            with suppress(ConnectionError):
                self.request.sendall(answer)
                while endless:
                    self.request.sendall(endless)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
