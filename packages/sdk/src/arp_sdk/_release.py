"""Closing the connections of an async client that nobody closes.

An event loop holds the sockets that it looks at, so they outlive their client: where it is dropped while the loop runs,
the loop is asked to close them.
"""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

# Tasks that close; the loop itself holds no task.
_closing: set[Any] = set()


def release_later(owner: object, client: httpx.AsyncClient) -> None:
    """Close the client when its owner is gone, and has not closed it."""
    weakref.finalize(owner, _release, client).atexit = False


def _release(client: httpx.AsyncClient) -> None:
    # It is there when a loop of it runs. To import it would cost the blocking clients as much as httpx itself.
    asyncio = sys.modules.get("asyncio")
    if client.is_closed or asyncio is None:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # the loop that had the sockets is closed, and they with it
    task = loop.create_task(client.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
