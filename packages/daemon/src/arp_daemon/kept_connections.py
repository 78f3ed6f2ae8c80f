"""Calls to an instance over connections that are kept: a POST, and its whole answer, bounded in bytes and in time.

Every run is handed over by such a call. Through a pool of httpx it takes 1 ms of CPU, more than all else that is done
for a run which comes alone; on a socket of its own it takes a small part of that. All other calls are made by httpx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anyio

from arp_daemon.answer_parser import BrokenAnswerError
from arp_daemon.bounded_http import MAX_ANSWER_BYTES
from arp_daemon.plain_http import build_request, connect

if TYPE_CHECKING:
    from arp_daemon.address import Address
    from arp_daemon.plain_http import PlainConnection

# A runtime answers a hand-over at once; this bounds one that hangs.
_ANSWER_WITHIN_S = 30.0


class NoAnswerError(Exception):
    """It may have been sent, and what came back is no answer."""


class Answer(NamedTuple):
    """A whole answer, of any status."""

    status: int
    body: bytes


class KeptConnections:
    """To one address; as many as calls are made at once."""

    def __init__(self, address: Address, max_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._address = address
        self._max_bytes = max_bytes
        self._idle: list[PlainConnection] = []

    async def post(self, path: str, body: bytes) -> Answer:
        """Send JSON, and return what is answered.

        Raises:
            NotConnectedError: it certainly did not arrive.
            NoAnswerError: nobody knows whether it did.
        """
        connection = self._take() or await connect(self._address)
        can_be_kept = False
        try:
            with anyio.fail_after(_ANSWER_WITHIN_S):
                answer = await self._exchange(connection, path, body)
            can_be_kept = connection.is_ready
        except (OSError, BrokenAnswerError) as exc:  # a TimeoutError is an OSError
            raise NoAnswerError(repr(exc)) from exc
        finally:
            if can_be_kept:
                self._idle.append(connection)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> PlainConnection | None:
        """One that the instance has not closed meanwhile."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_ready:
                return connection
            connection.close()
        return None

    async def _exchange(self, connection: PlainConnection, path: str, body: bytes) -> Answer:
        """Send a request, and read the answer to its end."""
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        await connection.send(build_request(self._address, "POST", path, headers, body))
        status, _ = await connection.read_head()
        received = bytearray(connection.take())
        while not connection.is_over and len(received) <= self._max_bytes:
            await connection.receive()
            received += connection.take()
        if len(received) > self._max_bytes:
            raise BrokenAnswerError(f"the answer is over {self._max_bytes} bytes")
        connection.begin_anew()
        return Answer(status, bytes(received))
