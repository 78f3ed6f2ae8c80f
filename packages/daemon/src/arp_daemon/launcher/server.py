"""The launcher's socket: requests in, answers and exits out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from anyio.abc import SocketAttribute, SocketListener

from arp_daemon.launcher.connection import Connection
from arp_daemon.launcher.errors import InvalidSpecError, LauncherError
from arp_daemon.launcher.protocol import (
    Answer,
    Exited,
    Failure,
    Hello,
    Launch,
    ListInstances,
    ReadLog,
    Request,
    Shutdown,
    Signal,
    Stop,
    Tail,
    decode_request,
)
from arp_daemon.launcher.sockets import check_peer_is_own_user

if TYPE_CHECKING:
    import socket

    from anyio.abc import SocketStream, TaskGroup

    from arp_daemon.launcher.instances import Instances
    from arp_daemon.launcher.lease import Lease

__all__ = ["Server"]

_logger = logging.getLogger(__name__)

# What is left to say when the launcher ends.
_FINISH_TIMEOUT = 1.0
# A pause when no connection can be accepted (descriptors have run out).
_ACCEPT_PAUSE = 0.1


class _AnyRequest(msgspec.Struct):
    id: int


class Server:
    """Serves all connections, each until its other end closes it."""

    def __init__(self, task_group: TaskGroup, hello: Hello, lease: Lease) -> None:
        self._task_group = task_group
        self._hello = hello
        self._lease = lease
        self._connections: set[Connection] = set()
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
        connection = Connection(stream)
        connection.send(self._hello)
        self._connections.add(connection)
        self._lease.hold()
        try:
            await connection.run(lambda line: self._take(line, connection, instances))
        finally:
            self._lease.release(anyio.current_time())
            self._connections.discard(connection)

    def _take(self, line: bytes, connection: Connection, instances: Instances) -> bool:
        """Take up a request. Return False for what is none, in whatever language it is."""
        try:
            request = decode_request(line)
        except msgspec.DecodeError as exc:
            return _refuse(line, exc, connection)
        # Not bound to the connection: a stop goes on when the daemon that asked for it dies.
        self._task_group.start_soon(self._answer, request, connection, instances)
        return True

    async def _answer(self, request: Request, connection: Connection, instances: Instances) -> None:
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

    async def finish(self) -> None:
        """Say what is queued on every connection, for a bounded time, and end them."""
        connections = list(self._connections)
        with anyio.move_on_after(_FINISH_TIMEOUT):
            for connection in connections:
                connection.finish()
            for connection in connections:
                await connection.ended.wait()


def _refuse(line: bytes, why: msgspec.DecodeError, connection: Connection) -> bool:
    """Answer a request that breaks a bound. Return False where there is no request to answer."""
    try:
        request_id = msgspec.json.decode(line, type=_AnyRequest).id
    except msgspec.DecodeError:
        _logger.warning("nonsense on a connection: %s", why)
        return False
    connection.send(Failure(id=request_id, code=InvalidSpecError.code, message=str(why)))
    return True


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
        case ReadLog():
            return await instances.read_log(request)
        case Shutdown(grace_s=grace_s):
            return await instances.shutdown(grace_s)
