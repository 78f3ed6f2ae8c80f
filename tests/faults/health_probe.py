"""Asks for health again and again, from a process of its own. A program: PORT SECONDS.

Prints the seconds that each answer took, as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import time

_PAUSE_S = 0.02
_REQUEST = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def main(port: int, seconds: float) -> None:
    """Ask for so many seconds, over one connection."""
    took: list[float] = []
    end = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while time.monotonic() < end:
            began = time.monotonic()
            connection.sendall(_REQUEST)
            _read_answer(connection)
            took.append(time.monotonic() - began)
            time.sleep(_PAUSE_S)  # the pace of the questions
    print(json.dumps(took))


def _read_answer(connection: socket.socket) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
