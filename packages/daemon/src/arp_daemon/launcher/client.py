"""The daemon's side of the launcher."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream

from arp_daemon.launcher.connect import find_or_start
from arp_daemon.launcher.errors import InvalidSpecError, LauncherGoneError, LauncherStartError, error_from_code
from arp_daemon.launcher.paths import LauncherPaths
from arp_daemon.launcher.protocol import (
    MAX_MESSAGE_BYTES,
    PROTOCOL_VERSION,
    Answer,
    Exited,
    Failure,
    Hello,
    InstanceRecord,
    Launch,
    Launched,
    LaunchSpec,
    ListInstances,
    LogPiece,
    Message,
    ReadLog,
    Request,
    Shutdown,
    Signal,
    Stop,
    Stream,
    Tail,
    decode_message,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream

__all__ = ["LauncherClient", "open_launcher"]

# The launcher's first words come as soon as it accepts.
_HELLO_TIMEOUT = 10.0
# The launcher bounds its own work well below this; over it, it is stopped or stuck.
_CALL_TIMEOUT = 60.0
# Requests fit the socket's buffer; a launcher that does not read is stopped or stuck.
_SEND_TIMEOUT = 10.0
# A launcher answers a goodbye at once, unless it is stopped.
_FINISH_TIMEOUT = 1.0
_BROKEN = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.DelimiterNotFound,
    anyio.EndOfStream,
    anyio.IncompleteRead,
)


@asynccontextmanager
async def open_launcher(data_dir: Path, *, lease_s: float = 60.0) -> AsyncIterator[LauncherClient]:
    """Connect to the launcher of `data_dir`, starting one if there is none.

    Leaving the context only disconnects: instances live on until `LauncherClient.shutdown`, or until the lease
    of the launcher is over (`lease_s` seconds without a connection; a launcher that runs already keeps its
    own).

    Raises:
        LauncherStartError: no launcher could be started or reached.
    """
    paths = LauncherPaths(Path(await anyio.Path(data_dir).resolve()))
    try:
        paths.make()
    except OSError as exc:
        raise LauncherStartError(f"The data dir cannot be used: {exc}.") from exc
    # What has begun to start is waited for, each wait within its bound: who is cancelled meanwhile can still end it.
    with anyio.CancelScope(shield=True):
        stream = await find_or_start(paths, lease_s)
    async with stream:
        with anyio.CancelScope(shield=True):
            client = await _greet(stream)
        tasks = await anyio.create_task_group().__aenter__()
        # Who is cancelled still has things to ask, last of all for the launcher's end.
        following = anyio.CancelScope(shield=True)
        tasks.start_soon(client.follow, following)
        try:
            yield client
        finally:
            await client.finish()
            following.cancel()
            # Left by hand, because an error of the caller is not this task group's to wrap in a group.
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)


async def _greet(stream: ByteStream) -> LauncherClient:
    lines = BufferedByteReceiveStream(stream)
    try:
        with anyio.fail_after(_HELLO_TIMEOUT):
            hello = decode_message(await lines.receive_until(b"\n", MAX_MESSAGE_BYTES))
    except (TimeoutError, msgspec.DecodeError, *_BROKEN) as exc:
        raise LauncherStartError("The launcher does not say hello.") from exc
    if not isinstance(hello, Hello) or hello.protocol != PROTOCOL_VERSION:
        raise LauncherStartError(f"The launcher is of another version; end it first. It said: {hello}.")
    return LauncherClient(stream, lines, hello)


class _Call:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.reply: Answer | Failure | None = None

    def set_reply(self, reply: Answer | Failure | None) -> None:
        self.reply = reply
        self.answered.set()


class LauncherClient:
    """Launches, stops and lists instances. Made by `open_launcher`.

    Every call raises LauncherGoneError when the connection breaks, or broke before; the instances of a launcher
    that died are dead with it.
    """

    def __init__(self, stream: ByteStream, lines: BufferedByteReceiveStream, hello: Hello) -> None:
        self.launcher_id = hello.launcher_id
        self.launcher_pid = hello.pid
        self._stream = stream
        self._lines = lines
        self._sending = anyio.Lock()
        self._ids = count(1)
        self._calls: dict[int, _Call] = {}
        self._is_gone = False
        self._followed = anyio.Event()
        # Without a bound of its own: an instance exits once, so launches bound it.
        self._exits_in, self._exits_out = anyio.create_memory_object_stream[Exited](math.inf)

    async def launch(self, spec: LaunchSpec) -> Launched:
        """Start an instance.

        Raises:
            InstanceExistsError, InvalidSpecError, LauncherStoppingError: nothing was started.
            LaunchFailedError: it did not come up; nothing is left of it.
        """
        result = await self._call(Launch(id=next(self._ids), spec=spec))
        return msgspec.json.decode(result, type=Launched)

    async def stop(self, instance_id: str, grace_s: float | None = None) -> Exited:
        """End an instance: SIGTERM to its root, after `grace_s` (None: as its spec says) SIGKILL to its tree.

        Returns when nothing of it is left; at once when it had ended already.

        Raises:
            UnknownInstanceError: the launcher knows no such instance.
            StopFailedError: something of it cannot be killed.
        """
        request = Stop(id=next(self._ids), instance_id=instance_id, grace_s=grace_s)
        return msgspec.json.decode(await self._call(request, grace_s), type=Exited)

    async def signal(self, instance_id: str, signum: int) -> None:
        """Signal an instance's root process.

        Raises:
            UnknownInstanceError: there is no such live instance.
        """
        await self._call(Signal(id=next(self._ids), instance_id=instance_id, signum=signum))

    async def list(self) -> list[InstanceRecord]:
        """Return all live instances, and the last 256 that ended (also while nobody was connected)."""
        result = await self._call(ListInstances(id=next(self._ids)))
        return msgspec.json.decode(result, type=list[InstanceRecord])

    async def tail(self, instance_id: str, stream: Stream, lines: int) -> str:
        """Return the last `lines` lines (at most 256 KiB) of an instance's output, live or ended.

        Raises:
            UnknownInstanceError: no log of such an instance is kept.
        """
        request = Tail(id=next(self._ids), instance_id=instance_id, stream=stream, lines=lines)
        return msgspec.json.decode(await self._call(request), type=str)

    async def read_log(
        self, instance_id: str, stream: Stream, *, position: int | None = None, lines: int = 0, wait_s: float = 0.0
    ) -> LogPiece:
        """Return a piece of an instance's output, live or ended: from `position`, or of its last `lines` lines.

        Where nothing is there yet, wait for it, `wait_s` at most (30).

        Raises:
            UnknownInstanceError: no log of such an instance is kept.
        """
        request = ReadLog(
            id=next(self._ids), instance_id=instance_id, stream=stream, position=position, lines=lines, wait_s=wait_s
        )
        return msgspec.json.decode(await self._call(request, wait_s), type=LogPiece)

    async def shutdown(self, grace_s: float | None = None) -> None:
        """Stop all instances in parallel, and end the launcher. The connection ends with it."""
        await self._call(Shutdown(id=next(self._ids), grace_s=grace_s), grace_s)

    async def exits(self) -> AsyncIterator[Exited]:
        """Yield each exit since the connection was made; end when it breaks. For one reader."""
        async for exited in self._exits_out:
            yield exited

    async def finish(self) -> None:
        """Say goodbye, and wait for the launcher's. Called by `open_launcher`."""
        with anyio.move_on_after(_FINISH_TIMEOUT, shield=True), suppress(*_BROKEN, OSError):
            async with self._sending:
                await self._stream.send_eof()
            await self._followed.wait()
        self._exits_out.close()

    async def _call(self, request: Request, grace_s: float | None = None) -> bytes:
        try:
            line = encode(request)
        except UnicodeEncodeError as exc:  # environments and paths may hold any bytes
            raise InvalidSpecError("The request has text that is not UTF-8.") from exc
        if len(line) > MAX_MESSAGE_BYTES:
            raise InvalidSpecError(f"The request has {len(line)} bytes, which no launcher takes.")
        if self._is_gone:
            raise LauncherGoneError("The launcher is gone.")
        call = self._calls[request.id] = _Call()
        try:
            with anyio.fail_after(_CALL_TIMEOUT + (grace_s or 0.0)):
                await self._send(line)
                await call.answered.wait()
        except TimeoutError as exc:
            raise LauncherGoneError("The launcher does not answer.") from exc
        except _BROKEN as exc:
            raise LauncherGoneError("The launcher is gone.") from exc
        finally:
            del self._calls[request.id]
        match call.reply:
            case Answer(result=result):
                return bytes(result)
            case Failure(code=code, message=message, stderr_tail=stderr_tail):
                raise error_from_code(code, message, stderr_tail)
            case None:
                raise LauncherGoneError("The launcher ended before it answered.")

    async def _send(self, line: bytes) -> None:
        # Shielded: half a line would make nonsense of all that follow.
        async with self._sending:
            with anyio.fail_after(_SEND_TIMEOUT, shield=True):
                await self._stream.send(line)

    async def follow(self, scope: anyio.CancelScope) -> None:
        """Receive answers and exits until the connection ends, or `scope` is cancelled. Run by `open_launcher`."""
        try:
            with scope:
                while True:
                    line = await self._lines.receive_until(b"\n", MAX_MESSAGE_BYTES)
                    self._receive(decode_message(line))
        except (msgspec.DecodeError, *_BROKEN):
            # Whatever is wrong with it, this connection is of no more use; the launcher waits for its end.
            await self._stream.aclose()
        finally:
            self._followed.set()
            self._is_gone = True
            self._exits_in.close()
            for call in self._calls.values():
                call.set_reply(None)

    def _receive(self, message: Message) -> None:
        match message:
            case Exited():
                self._exits_in.send_nowait(message)
            case Answer() | Failure():
                if call := self._calls.get(message.id):
                    call.set_reply(message)
            case Hello():
                pass
