"""The launcher's socket: requests in, answers and exits out."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from anyio.abc import SocketAttribute, SocketListener
from anyio.streams.buffered import BufferedByteReceiveStream

from arp_daemon.launcher.errors import InvalidSpecError, LauncherError
from arp_daemon.launcher.protocol import (
    MAX_MESSAGE_BYTES,
    Answer,
    Exited,
    Failure,
    Hello,
    Launch,
    ListInstances,
    Request,
    Shutdown,
    Signal,
    Stop,
    Tail,
    decode_request,
    encode,
)
from arp_daemon.launcher.sockets import check_peer_is_own_user

if TYPE_CHECKING:
    import socket

    from anyio.abc import SocketStream, TaskGroup

    from arp_daemon.launcher.instances import Instances
    from arp_daemon.launcher.lease import Lease

__all__ = ["Server"]

_logger = logging.getLogger(__name__)

# Messages that wait for a daemon which does not read; one more, and its connection is broken.
_OUTBOX = 1024
# What is left to say when the launcher ends.
_FLUSH_TIMEOUT = 1.0
# A pause when no connection can be accepted (descriptors have run out).
_ACCEPT_PAUSE = 0.1
_CLOSED = (anyio.BrokenResourceError, anyio.ClosedResourceError)


class _AnyRequest(msgspec.Struct):
    id: int


class _Connection:
    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._outbox, self._out = anyio.create_memory_object_stream[bytes](_OUTBOX)
        self._scope = anyio.CancelScope()
        self.flushed = anyio.Event()

    def send(self, message: Any) -> None:
        """Queue a message; to a connection that is closed or does not read, nothing is sent."""
        with suppress(*_CLOSED):
            try:
                self._outbox.send_nowait(encode(message))
            except anyio.WouldBlock:
                self._scope.cancel()

    def finish(self) -> None:
        """Say what is queued, and nothing more."""
        self._outbox.close()

    async def write(self) -> None:
        with self._scope, suppress(*_CLOSED):
            async for line in self._out:
                await self._stream.send(line)
        self._outbox.close()
        self._out.close()
        self.flushed.set()
        await self._stream.aclose()


class Server:
    """Serves all connections, each until its other end closes it."""

    def __init__(self, task_group: TaskGroup, hello: Hello, lease: Lease) -> None:
        self._task_group = task_group
        self._hello = hello
        self._lease = lease
        self._connections: set[_Connection] = set()
        self.ending = anyio.Event()

    def publish(self, exited: Exited) -> None:
        """Tell every connection of an exit."""
        for connection in self._connections:
            connection.send(exited)

    async def serve(self, sock: socket.socket, instances: Instances) -> None:
        """Accept connections until cancelled."""
        async with await SocketListener.from_socket(sock) as listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as exc:
                    _logger.warning("cannot accept a connection: %s", exc)
                    await anyio.sleep(_ACCEPT_PAUSE)
                else:
                    self._task_group.start_soon(self._serve_connection, stream, instances)

    async def _serve_connection(self, stream: SocketStream, instances: Instances) -> None:
        try:
            check_peer_is_own_user(stream.extra_attributes[SocketAttribute.raw_socket]())
        except PermissionError as exc:
            _logger.warning("connection refused: %s", exc)
            await stream.aclose()
            return
        connection = _Connection(stream)
        connection.send(self._hello)
        self._connections.add(connection)
        self._lease.hold()
        self._task_group.start_soon(connection.write)
        try:
            await self._read(stream, connection, instances)
        finally:
            self._lease.release(anyio.current_time())
            self._connections.discard(connection)
            connection.finish()

    async def _read(self, stream: SocketStream, connection: _Connection, instances: Instances) -> None:
        lines = BufferedByteReceiveStream(stream)
        with suppress(*_CLOSED, anyio.IncompleteRead, anyio.DelimiterNotFound, msgspec.DecodeError):
            while True:
                line = await lines.receive_until(b"\n", MAX_MESSAGE_BYTES)
                try:
                    request = decode_request(line)
                except msgspec.DecodeError as exc:
                    connection.send(_refuse(line, exc))
                else:
                    # Not bound to the connection: a stop goes on when the daemon that asked for it dies.
                    self._task_group.start_soon(self._answer, request, connection, instances)

    async def _answer(self, request: Request, connection: _Connection, instances: Instances) -> None:
        try:
            result = await _do(request, instances)
        except LauncherError as exc:
            tail = exc.stderr_tail
            connection.send(Failure(id=request.id, code=exc.code, message=exc.message, stderr_tail=tail))
        except Exception:
            # The outermost boundary: a bug in one request must not cost all instances their launcher.
            _logger.exception("%s failed", type(request).__name__)
            connection.send(Failure(id=request.id, code=LauncherError.code, message="The launcher has a bug."))
        else:
            connection.send(Answer(id=request.id, result=msgspec.Raw(msgspec.json.encode(result))))
            if isinstance(request, Shutdown):
                self.ending.set()

    async def flush(self) -> None:
        """Say what is queued on every connection, for a bounded time."""
        with anyio.move_on_after(_FLUSH_TIMEOUT):
            for connection in list(self._connections):
                connection.finish()
                await connection.flushed.wait()


def _refuse(line: bytes, why: msgspec.DecodeError) -> Failure:
    """Answer a request that breaks a bound.

    Raises:
        msgspec.DecodeError: it is not even a request.
    """
    request_id = msgspec.json.decode(line, type=_AnyRequest).id
    return Failure(id=request_id, code=InvalidSpecError.code, message=str(why))


async def _do(request: Request, instances: Instances) -> Any:
    match request:
        case Launch(spec=spec):
            return await instances.launch(spec)
        case Stop(instance_id=instance_id, grace_s=grace_s):
            return await instances.stop(instance_id, grace_s)
        case Signal(instance_id=instance_id, signum=signum):
            return instances.signal(instance_id, signum)
        case ListInstances():
            return instances.list()
        case Tail(instance_id=instance_id, stream=stream, lines=lines):
            return instances.tail(instance_id, stream, lines)
        case Shutdown(grace_s=grace_s):
            return await instances.shutdown(grace_s)
