"""A loopback port at which nobody answers, for tests of what must not be called."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from select import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def listening() -> Iterator[tuple[str, Callable[[], bool]]]:
    """Yield its URL, and what tells whether somebody has called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", lambda: bool(select([server], [], [], 0)[0])
