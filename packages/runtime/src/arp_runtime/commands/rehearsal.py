"""An instance that is begun, asked and ended in the process that others are forked from.

What an instance does for the first time writes to memory that it would share: caches are filled, and the interpreter
fits its code to what it meets. Once that was done here, all forks share it. Nothing else of it may stay: it listens on
a socket of its own, takes no run, and says nothing to the log, whose loggers remember the level at which they spoke
first.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from arp_runtime.app import create_runtime_app
from arp_runtime.commands.door_options import NO_DOOR_OPTIONS
from arp_runtime.commands.serve import CANNOT_START, parts_of
from arp_service.admission import open_admission
from arp_service.serving import bind, serve

if TYPE_CHECKING:
    import socket

    from arp_service.admission import Admission
    from arp_service.stopping import Stop

# It takes a twentieth of a second. The launcher waits longer than this for a template.
_TIMEOUT_S = 10
# What a daemon asks a new instance. The last is a stream without an end.
_ASKED = ("/v1/health", "/v1/version", "/v1/events")


def rehearse() -> None:
    """Serve with the default agent until a client of our own has been answered.

    Where no instance could start, this does nothing: the first one will say why.
    """
    try:
        with open_admission(NO_DOOR_OPTIONS.uids(), None) as admit:
            anyio.run(_serve, bind("127.0.0.1", 0), admit)
    except CANNOT_START:
        return


async def _serve(listener: socket.socket, admit: Admission) -> None:
    port = listener.getsockname()[1]
    with anyio.move_on_after(_TIMEOUT_S):
        async with parts_of().open() as runtime, anyio.create_task_group() as tasks:
            tasks.start_soon(_ask, port, runtime.stop)
            drain = partial(runtime.runs.drain, 0)
            await serve(create_runtime_app(*runtime, admit), listener, runtime.stop, drain)


async def _ask(port: int, stop: Stop) -> None:
    async with await anyio.connect_tcp("127.0.0.1", port) as connection:
        for path in _ASKED:
            await connection.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            await connection.receive()  # the answer, or of the stream its head
        stop.requested.set()
