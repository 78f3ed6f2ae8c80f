"""What a reader of an instance's output gets: a piece at a time, while it is being written and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher.logs import kept_bytes, read_piece, tail_position
from arp_daemon.launcher.protocol import LogPiece

if TYPE_CHECKING:
    from pathlib import Path

    from arp_daemon.launcher.capture import Capture
    from arp_daemon.launcher.protocol import ReadLog

__all__ = ["read_log"]

# In base64 it is a message of 86 KiB, which many readers at once can have.
_PIECE_BYTES = 64 * 1024


async def read_log(path: Path, capture: Capture | None, request: ReadLog) -> LogPiece:
    """Return what `request` asks for; `capture` writes the log, or None: an earlier launcher did.

    Raises:
        FileNotFoundError: there is no such log.
    """
    position = request.position
    if position is None:
        position = tail_position(path, kept_bytes(path) if capture is None else capture.end, request.lines)
    if capture is None:
        end, ended = kept_bytes(path), True
    else:
        with anyio.move_on_after(request.wait_s):
            await capture.wait_beyond(position)
        end, ended = capture.end, capture.ended
    piece = read_piece(path, end, position, _PIECE_BYTES)
    return LogPiece(data=piece.data, position=piece.position, end=end, lost=piece.lost, ended=ended)
