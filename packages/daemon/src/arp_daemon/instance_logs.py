"""What instances say, for whoever asks the daemon.

The launcher writes the logs, rotates and removes them, so it is also who reads them: it knows where an instance's
output begins and ends, wakes a follower when there is more, and has hidden the secrets already. The daemon passes on
what it is given, and holds a position, no queue.
"""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from arp_daemon.errors import InstanceLogsNotFoundError
from arp_daemon.launcher import LauncherError, UnknownInstanceError
from arp_service.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from arp_daemon.instances import InstanceManager
    from arp_daemon.launcher import LauncherClient
    from arp_daemon.launcher.protocol import LogPiece, Stream
    from arp_daemon.starter import Starter
    from arp_service.stopping import Stop

# How long the launcher is asked to wait for more, before it is asked again.
_WAIT_S = 15.0


class InstanceLogs:
    """Asked by routes."""

    def __init__(self, instances: InstanceManager, starter: Starter, stop: Stop) -> None:
        self._instances = instances
        self._starter = starter
        self._stop = stop

    async def read(self, instance_id: str, stream: Stream, lines: int, *, follow: bool) -> AsyncGenerator[bytes, None]:
        """Return the last `lines` lines, and with `follow` all that comes after them, in pieces of UTF-8.

        Raises:
            InstanceNotFoundError, InstanceLogsNotFoundError: there is nothing to read.
            UnavailableError: there is no launcher at the moment.
        """
        try:
            launcher = await self._starter.present_launcher()
            piece = await launcher.read_log(instance_id, stream, lines=lines)
        except UnknownInstanceError as exc:
            self._instances.get(instance_id)
            raise InstanceLogsNotFoundError(instance_id) from exc
        except LauncherError as exc:
            raise UnavailableError(f"The logs cannot be read at the moment: {exc.message}.") from exc
        return _as_text(self._pieces(launcher, instance_id, stream, piece, follow=follow))

    async def _pieces(
        self, launcher: LauncherClient, instance_id: str, stream: Stream, first: LogPiece, *, follow: bool
    ) -> AsyncIterator[LogPiece]:
        piece: LogPiece | None = first
        while piece is not None:
            yield piece
            end = piece.end if follow else first.end
            if piece.position >= end and (piece.ended or not follow):
                return
            piece = await self._next(launcher, instance_id, stream, piece.position)

    async def _next(self, launcher: LauncherClient, instance_id: str, stream: Stream, position: int) -> LogPiece | None:
        """Wait for more; None when the daemon closes, or the launcher died, and the instance with it."""
        piece: LogPiece | None = None

        async def leave() -> None:
            await self._stop.closing.wait()
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave)
            with suppress(LauncherError):
                piece = await launcher.read_log(instance_id, stream, position=position, wait_s=_WAIT_S)
            tasks.cancel_scope.cancel()
        return piece


async def _as_text(pieces: AsyncIterator[LogPiece]) -> AsyncGenerator[bytes, None]:
    """Programs print what they like: what is no UTF-8 is replaced, whereever the pieces were cut."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for piece in pieces:
        text = decoder.decode(piece.data)
        if piece.lost:
            text = f"\n[{piece.lost} bytes are not kept any more]\n{text}"
        if text:
            yield text.encode()
            # A server's send may return without yielding to the loop: let others run between sends.
            await anyio.lowlevel.checkpoint()
    if rest := decoder.decode(b"", final=True):
        yield rest.encode()
