"""A server that answers each connection with the next bytes of a script, however wrong, and closes it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long a connection may take to send its request, in seconds.
REQUEST_TIMEOUT = 10


@dataclass(frozen=True)
class Answer:
    """What a connection gets. `reset` ends it with a reset; `hold` keeps it open until the client goes."""

    content: bytes
    reset: bool = False
    hold: bool = False


@dataclass
class Script:
    """The answers to come, the heads and bodies of the requests that came, and the address."""

    answers: list[Answer]
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def header(self, number: int, name: str) -> str | None:
        """A header of a request, by its place."""
        for line in self.heads[number].split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def target(self, number: int) -> str:
        """The request target of a request, by its place."""
        return self.heads[number].split(" ")[1]


def http(status: str, media_type: str, body: bytes, length: int | None = None) -> bytes:
    """The bytes of an answer; a `length` other than the body's is a lie."""
    length = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def json(status: str, body: object) -> Answer:
    """A complete answer in JSON."""
    return Answer(http(status, "application/json", msgspec.json.encode(body)))


def stream(*events: str, cut: bool = False, reset: bool = False, hold: bool = False) -> Answer:
    """An event stream in chunks. `cut` leaves out the last chunk, so that the body is incomplete."""
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    chunks = b"".join(f"{len(e.encode()):x}\r\n{e}\r\n".encode() for e in events)
    return Answer(head + chunks + (b"" if cut or reset or hold else b"0\r\n\r\n"), reset=reset, hold=hold)


@contextmanager
def playing(*answers: Answer) -> Iterator[Script]:
    """Serve the script until the block ends. A connection after the last answer is refused."""
    script = Script(list(answers))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=_play, args=(listener, script))
        thread.start()
        try:
            yield script
        finally:
            # Wakes the thread where it still waits for a connection; it has closed the listener otherwise.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(REQUEST_TIMEOUT)


def _play(listener: socket.socket, script: Script) -> None:
    while script.answers:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        if len(script.answers) == 1:
            listener.close()
        with connection:
            connection.settimeout(REQUEST_TIMEOUT)
            _answer(connection, script)


def _answer(connection: socket.socket, script: Script) -> None:
    received = piece = connection.recv(65536)
    while piece and b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    script.heads.append(head.decode())
    length = int(script.header(-1, "content-length") or 0)
    while piece and len(body) < length:
        piece = connection.recv(65536)
        body += piece
    script.bodies.append(body)
    answer = script.answers.pop(0)
    connection.sendall(answer.content)
    if answer.hold:
        while connection.recv(65536):
            pass
    if answer.reset:
        # With no time to linger, closing sends a reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
