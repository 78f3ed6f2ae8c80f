"""Another user of this machine, who sends a request and closes at once. A program: PORT COUNT, as root.

A peer that has closed shows as user 0, which must not be taken for the daemon's own user where that is root.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

NOBODY = 65534
# Closing with this option on resets the connection instead of ending it.
_RESET = struct.pack("ii", 1, 0)


def main(port: int, count: int) -> None:
    """Become somebody else and submit `count` runs, gone before they can be answered; every second by a reset."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    for number in range(count):
        body = b'{"run_id": "stranger-%d", "input": {"goal": "stranger-%d"}}' % (number, number)
        head = (
            b"POST /v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        with socket.socket() as connection:
            connection.connect(("127.0.0.1", port))
            connection.sendall(head % len(body) + body)
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
