"""What an instance says, read from a pipe into a rotated log."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from arp_daemon.launcher.hiding import Hiding
from arp_daemon.launcher.logs import Piece, RotatedLog, read_piece, tail_position
from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from anyio.abc import TaskGroup

    from arp_daemon.launcher.protocol import Stream

__all__ = ["Capture", "Output", "log_path"]

_logger = logging.getLogger(__name__)

# The size of a pipe, as far as the kernel gives it (pipe(7)), and of a read: a flood costs few reads then.
_PIPE_BYTES = 256 * 1024
# What an exit report and a launch error carry of stderr. A list of all remembered exits must fit one message,
# even when JSON needs six bytes for each of these.
_TAIL_BYTES = 4 * 1024
# After a read of more than a line or two: the pipe fills meanwhile, so that a flood costs few reads and waits itself,
# at some 16 MiB/s.
_MUCH_BYTES = 8 * 1024
_PAUSE = 0.016
# How long the end of a pipe is waited for once its writers are killed; only a process that escaped holds it.
_DRAIN_TIMEOUT = 0.5


class Capture:
    """One stream of one process. `write_fd` is for the child, and closed here once the child has it."""

    def __init__(self, path: Path, hiding: Hiding | None = None) -> None:
        """Open the log at `path` and a pipe. What `hiding` hides is written nowhere.

        Raises:
            OSError: the log cannot be opened, or descriptors have run out.
        """
        self._path = path
        self._sink = RotatedLog(path)
        self._hiding = hiding
        self._changed = Changed()
        self._tail = bytearray()
        self._lost = 0
        self._scope = anyio.CancelScope()
        self._done = anyio.Event()
        self._read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_fd, False)
        with suppress(PermissionError):  # its user has too many large ones
            fcntl.fcntl(self._read_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def close_write_end(self) -> None:
        """Close the launcher's copy of the child's end; a second call does nothing."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    async def run(self) -> None:
        """Copy until every writer is gone, or `finish` has waited long enough. Call once."""
        try:
            with self._scope:
                while await self._copy():
                    pass
        finally:
            os.close(self._read_fd)
            self._sink.close()
            self._done.set()
            self._changed.notify()

    async def _copy(self) -> bool:
        await anyio.wait_readable(self._read_fd)
        data = os.read(self._read_fd, _PIPE_BYTES)
        self._take(data if self._hiding is None else self._hiding.feed(data) if data else self._hiding.flush())
        if len(data) >= _MUCH_BYTES:
            await anyio.sleep(_PAUSE)
        return bool(data)

    def _take(self, data: bytes) -> None:
        self._tail = (self._tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        try:
            self._sink.write(data)
        except OSError as exc:
            # A full disk must not stop the instance: its output is dropped, and this said once.
            if not self._lost:
                _logger.warning("%s: output is lost: %s", self._path, exc)
            self._lost += len(data)
        self._changed.notify()

    async def finish(self) -> None:
        """Take what is still in the pipe, and end `run`. Call when the writers have been killed."""
        self.close_write_end()
        with anyio.move_on_after(_DRAIN_TIMEOUT):
            await self._done.wait()
        self._scope.cancel()
        await self._done.wait()

    @property
    def ended(self) -> bool:
        """Whether nothing more can be said."""
        return self._done.is_set()

    @property
    def end(self) -> int:
        """The position after the last byte in the log."""
        return self._sink.end

    def tail_position(self, lines: int) -> int:
        """Return the position at which the last `lines` lines begin. Raises FileNotFoundError."""
        return tail_position(self._path, self.end, lines)

    def read(self, position: int, size: int) -> Piece:
        """Return at most `size` bytes from `position` on. Raises FileNotFoundError."""
        return read_piece(self._path, self.end, position, size)

    async def wait_beyond(self, position: int) -> None:
        """Return when there is something behind `position`, or nothing more to come."""
        while self.end <= position and not self.ended:
            await self._changed.wait()

    def tail(self) -> str:
        """Return the last 4 KiB of what was said."""
        return self._tail.decode(errors="replace")


class Output:
    """stdout and stderr of one instance, in `stdout.log` and `stderr.log` of its folder."""

    def __init__(self, folder: Path, secrets: Collection[str] = ()) -> None:
        """Make the folder and open both. The values `secrets` are written nowhere.

        Raises:
            OSError: the folder cannot be made, or descriptors have run out.
        """
        self._folder = folder
        self._is_new = not folder.exists()
        folder.mkdir(mode=0o700, exist_ok=True)
        self.stdout = Capture(log_path(folder, "stdout"), Hiding(secrets) if secrets else None)
        self.stderr = Capture(log_path(folder, "stderr"), Hiding(secrets) if secrets else None)

    def of(self, stream: Stream) -> Capture:
        """Return one of both."""
        return self.stdout if stream == "stdout" else self.stderr

    def start(self, task_group: TaskGroup) -> None:
        """Read both in tasks of `task_group`."""
        task_group.start_soon(self.stdout.run)
        task_group.start_soon(self.stderr.run)

    def close_write_ends(self) -> None:
        """Close the launcher's copies of what the child now has."""
        self.stdout.close_write_end()
        self.stderr.close_write_end()

    async def finish(self) -> None:
        """Take what is still in the pipes, and close."""
        await self.stdout.finish()
        await self.stderr.finish()

    async def discard(self) -> None:
        """Close, and leave no folder of a launch that came to nothing."""
        await self.finish()
        if self._is_new:
            shutil.rmtree(self._folder, ignore_errors=True)


def log_path(folder: Path, stream: Stream) -> Path:
    """Return the file of one stream in an instance's folder."""
    return folder / f"{stream}.log"
