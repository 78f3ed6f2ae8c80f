"""Plain HTTP/1.1 to this machine, for the blocking clients: a transport of httpx over a socket and h11.

A call over it takes half the CPU time of one over httpx's own transport, which is made for everything: TLS, proxies,
HTTP/2, and any way of waiting. httpx has it for one address, and its own for whatever else it is asked to call. What is
HTTP is left to h11, as there.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import h11
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long a connection is kept for the next call, in seconds; services close idle ones after about as long.
IDLE_TIME = 5.0
# How much of an answer is read at once, and how large its head may be, in bytes.
_PIECE = 65536
_LARGEST_HEAD = 100 * 1024


class PlainTransport(httpx.BaseTransport):
    """One connection a call at a time, kept for the next call. May be used by many threads, and after a fork."""

    def __init__(self, host: str, port: int) -> None:
        """Connect to this host and port, when there is something to send."""
        self._address = host, port
        self._idle: deque[tuple[_Connection, float]] = deque()
        self._process = os.getpid()
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return the head of the answer, with its body still to come. Raises `httpx.TransportError`."""
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        connection = self._kept() or self._connect(timeout.get("connect"))
        try:
            connection.send(request, timeout.get("write"))
            head = connection.head(timeout.get("read"))
        except BaseException:
            connection.close()
            raise
        extensions = {"http_version": b"HTTP/" + head.http_version, "reason_phrase": head.reason}
        return httpx.Response(
            head.status_code, headers=head.headers.raw_items(), stream=_Body(self, connection), extensions=extensions
        )

    def close(self) -> None:
        """Close the connections that nobody uses, and those in use as soon as their answers have been read."""
        self._closed = True
        self._forget()

    def _forget(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop()[0].close()

    def keep(self, connection: _Connection) -> None:
        """Take back a connection whose answer has been read; close those that none of the last calls needed."""
        now = time.monotonic()
        self._idle.append((connection, now + IDLE_TIME))
        with suppress(IndexError):
            while self._idle[0][1] < now:
                self._idle.popleft()[0].close()
        if self._closed:
            self._forget()

    def _kept(self) -> _Connection | None:
        """Return the connection that was used last, if the service has not closed it meanwhile."""
        if self._process != os.getpid():
            # What was open at a fork is the parent's, who goes on to use it.
            self._forget()
            self._process = os.getpid()
        with suppress(IndexError):
            while True:
                connection, good_until = self._idle.pop()
                if time.monotonic() < good_until and connection.is_silent():
                    return connection
                connection.close()
        return None

    def _connect(self, timeout: float | None) -> _Connection:
        with _told_as(httpx.ConnectTimeout, httpx.ConnectError):
            return _Connection(socket.create_connection(self._address, timeout))


class _Connection:
    """A socket, and where HTTP stands on it."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)

    def send(self, request: httpx.Request, timeout: float | None) -> None:
        """Send the whole request."""
        content = request.read()
        with _told_as(httpx.WriteTimeout, httpx.WriteError), _local_errors():
            head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
            parts = [self._http.send(head)]
            if content:
                parts.append(self._http.send(h11.Data(content)))
            parts.append(self._http.send(h11.EndOfMessage()))
            self._sock.settimeout(timeout)
            # Who refuses a large body may answer and close before having read it: the answer tells.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._sock.sendall(b"".join(part for part in parts if part))

    def head(self, timeout: float | None) -> h11.Response:
        """Wait for the head of the answer; each wait for bytes of it takes `timeout` seconds at most."""
        self._sock.settimeout(timeout)
        event = self._next()
        while not isinstance(event, h11.Response):
            event = self._next()
        return event

    def body(self) -> Iterator[bytes]:
        """Yield the body's pieces as they come."""
        while not isinstance(event := self._next(), h11.EndOfMessage):
            yield bytes(event.data)

    def _next(self) -> Any:
        with _told_as(httpx.ReadTimeout, httpx.ReadError):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = self._sock.recv(_PIECE)
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
                self._http.receive_data(data)
        return event

    def is_silent(self) -> bool:
        """Tell whether it stands: one that was closed, or says what nobody asked for, can be read."""
        try:
            self._sock.settimeout(0)
            self._sock.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def is_reusable(self) -> bool:
        """Tell whether another call can be made on it, and make it ready."""
        with suppress(h11.LocalProtocolError, h11.RemoteProtocolError):
            if self._http.their_state is h11.SEND_BODY:
                self._http.next_event()  # the end of a body that was left at its last piece may have come with it
            said_more = bool(self._http.trailing_data[0])
            self._http.start_next_cycle()
            return not said_more
        return False

    def close(self) -> None:
        self._sock.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer, as it comes in. When all of it is read, its connection is kept."""

    def __init__(self, transport: PlainTransport, connection: _Connection) -> None:
        self._transport = transport
        self._connection = connection

    def __iter__(self) -> Iterator[bytes]:
        return self._connection.body()

    def close(self) -> None:
        if self._connection.is_reusable():
            self._transport.keep(self._connection)
        else:
            self._connection.close()


@contextmanager
def _local_errors() -> Iterator[None]:
    """Raise what h11 refuses to send as httpx would."""
    try:
        yield
    except h11.LocalProtocolError as exc:
        raise httpx.LocalProtocolError(str(exc)) from exc


@contextmanager
def _told_as(timed_out: type[httpx.TransportError], failed: type[httpx.TransportError]) -> Iterator[None]:
    """Raise what sockets and h11 raise as what httpx would."""
    try:
        yield
    except TimeoutError as exc:
        raise timed_out(str(exc)) from exc
    except OSError as exc:
        raise failed(str(exc)) from exc
    except h11.RemoteProtocolError as exc:
        raise httpx.RemoteProtocolError(str(exc)) from exc
