"""`arp-runtime serve --reload`: a runtime that is started anew whenever its code changes.

The socket stays with this process and is passed on, so that a client's connection waits for the next runtime rather
than being refused. The runtime that goes has its grace for runs under way.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from arp_runtime.agents.child_process import attached
from arp_runtime.agents.command import PREFIX
from arp_service.stopping import stop_on_signals

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

_log = structlog.get_logger(__name__)

# Changes that come together, as when an editor or git writes several files, are one.
_GATHER_MS = 200
# For a runtime to close after the grace of its runs is over; it bounds itself by less.
_CLOSE_S = 10.0


class NoReloadError(Exception):
    """Changes cannot be watched; the message names the cure."""


def watched(agent: str) -> tuple[list[Path], tuple[str, ...]]:
    """The folders in which an agent's code is, and the endings of the files that count."""
    folders, endings = [Path.cwd()], [".py"]
    words = shlex.split(agent.removeprefix(PREFIX)) if agent.startswith(PREFIX) else [agent.rpartition(":")[0]]
    for file in map(Path, words):
        if file.is_file() and file.suffix:
            folders.append(file.resolve().parent)
            endings.append(file.suffix)
    return folders, tuple(endings)


def child_arguments(arguments: Sequence[str], fd: int) -> list[str]:
    """The same command line for the runtime itself, on an inherited socket, and without `--reload`."""
    kept: list[str] = []
    is_value = False
    for word in arguments:
        if not is_value and word not in {"--host", "--reload"} and not word.startswith(("--host=", "--reload=")):
            kept.append(word)
        is_value = word == "--host"
    return [*kept, "--host", f"fd://{fd}", "--reload=false"]


async def serve_with_reload(
    arguments: Sequence[str], listener: socket.socket, agent: str, drain_grace_s: float
) -> None:
    """Serve until SIGTERM or SIGINT; a runtime that does not start is tried again at the next change.

    Raises:
        NoReloadError: the package that watches files is not installed.
    """
    try:
        from watchfiles import awatch  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise NoReloadError("--reload needs watchfiles: pip install 'arp-runtime[reload]'.") from exc
    folders, endings = watched(agent)
    command = [sys.executable, "-m", "arp_runtime", *child_arguments(arguments, listener.fileno())]
    async with stop_on_signals() as stop:
        changes = awatch(
            *folders,
            watch_filter=lambda _, path: path.endswith(endings),
            debounce=_GATHER_MS,
            stop_event=stop.requested,
        )
        while not stop.requested.is_set():
            async with attached(command, [listener], stop, drain_grace_s + _CLOSE_S):
                changed = await anext(changes, None)
            if changed is not None:
                _log.info("reloading", changed=sorted({path for _, path in changed}))
