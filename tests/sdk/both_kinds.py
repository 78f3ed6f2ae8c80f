"""A blocking client in the guise of an async one, so that what a test says of the one it says of the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio import to_thread

import arp_sdk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# What gives its answer at once, also where the client is async.
_AT_ONCE = {"run_handle", "events", "iter_runs", "iter_run_events", "iter_runtime_profiles"}
_HAVE_METHODS = (arp_sdk.RunHandle,)
_END = object()


class InThreads:
    """A blocking client or handle, each of whose methods is called in a thread and awaited."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        if name in _AT_ONCE:
            return lambda *args, **kwargs: _awaitable(found(*args, **kwargs))

        async def call(*args: Any, **kwargs: Any) -> Any:
            return _awaitable(await to_thread.run_sync(lambda: found(*args, **kwargs), abandon_on_cancel=True))

        return call


def _awaitable(found: Any) -> Any:
    if isinstance(found, Generator):
        return _iterate(found)
    return InThreads(found) if isinstance(found, _HAVE_METHODS) else found


async def _iterate(items: Generator[Any, None, None]) -> AsyncGenerator[Any, None]:
    try:
        while (item := await to_thread.run_sync(next, items, _END)) is not _END:
            yield item
    finally:
        items.close()


@asynccontextmanager
async def open_client(kind: str, name: str, url: str, **options: Any) -> AsyncIterator[Any]:
    """A client (`Daemon`, `Runtime`) of a kind (`sync`, `async`), whose methods are awaited."""
    if kind == "async":
        async with getattr(arp_sdk, f"Async{name}Client")(url, **options) as client:
            yield client
    else:
        with getattr(arp_sdk, f"{name}Client")(url, **options) as client:
            yield InThreads(client)
