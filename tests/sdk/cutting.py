"""A proxy on a loopback port that breaks event streams off after so many bytes, wherever that is."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE = 65536
# Closing without time to linger sends a reset.
_NO_LINGER = b"\1\0\0\0\0\0\0\0"


@dataclass
class Cutter:
    """The proxy: its address, and how many streams it has cut so far. `budget` gives the bytes of each stream."""

    target: tuple[str, int]
    budget: Callable[[], int]
    url: str = ""
    cuts: int = 0
    threads: list[threading.Thread] = field(default_factory=list)
    upstream: list[socket.socket] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                thread = threading.Thread(target=self._relay, args=(connection,))
                thread.start()
                self.threads.append(thread)

    def _relay(self, client: socket.socket) -> None:
        """Pass on one request at a time, and what is said to it."""
        with client, socket.create_connection(self.target) as server, suppress(OSError):
            self.upstream.append(server)
            while head := client.recv(_PIECE):
                server.sendall(head)
                if b"/events" in head.split(b"\r\n")[0]:
                    self._relay_some(server, client, self.budget())
                    return
                self._relay_answer(server, client)

    @staticmethod
    def _relay_answer(server: socket.socket, client: socket.socket) -> None:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += server.recv(_PIECE)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        while len(body) < length:
            body += server.recv(_PIECE)
        client.sendall(head + b"\r\n\r\n" + body)

    def _relay_some(self, server: socket.socket, client: socket.socket, budget: int) -> None:
        while budget > 0:
            piece = server.recv(min(_PIECE, budget))
            if not piece:
                return
            client.sendall(piece)
            budget -= len(piece)
        self.cuts += 1
        if self.cuts % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


@contextmanager
def cutting(url: str, budget: Callable[[], int]) -> Iterator[Cutter]:
    """Stand in front of the service until the block ends."""
    address = urlsplit(url)
    cutter = Cutter((address.hostname or "", address.port or 0), budget)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        cutter.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        accepting = threading.Thread(target=cutter.serve, args=(listener,))
        accepting.start()
        try:
            yield cutter
        finally:
            for waited_for in (listener, *cutter.upstream):
                with suppress(OSError):  # it has ended by itself
                    waited_for.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *cutter.threads):
                thread.join()
