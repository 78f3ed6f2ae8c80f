"""Writing what has happened: once begun it is not cancelled, and a store that refuses is asked again."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio
import structlog

from arp_daemon.store import OutOfOrderError
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from arp_service.stopping import Stop

P = ParamSpec("P")
T = TypeVar("T")

_log = structlog.get_logger(__name__)

# While the store refuses (disk full), what happened is kept in memory and tried again this often.
_STORE_RETRY_S = 0.5


def whole(method: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """A method that, once begun, is not cancelled. Its waits are those for the store, which end with the process."""

    @wraps(method)
    async def shielded(*args: P.args, **kwargs: P.kwargs) -> T:
        scope = anyio.CancelScope(shield=True)
        with scope:
            result = await method(*args, **kwargs)
        return result  # noqa: RET504 - a scope may, by its type, swallow what is raised in it

    return shielded


async def keep_trying(write: Callable[[], Awaitable[None]], stop: Stop) -> bool:
    """Write what has happened; it cannot be taken back, so a store that refuses is asked again.

    False when the process closes meanwhile: the next daemon finds the store as it was, and asks the instances.
    """
    while True:
        try:
            await write()
        except StoreUnavailableError as exc:
            _log.error("store_refuses", error=exc.message)
        else:
            return True
        if stop.closing.is_set():
            return False
        await anyio.sleep(_STORE_RETRY_S)


class Ledger:
    """Writes what has happened to runs, the events of each in order, whatever the store refuses."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._refused: set[object] = set()
        """A mark for each write that is tried again."""
        self._gave_up = False

    async def write(self, write: Callable[[], Awaitable[None]]) -> bool:
        """Whether it was written. Once one was given up, as the process closes, no other is made: it may rest on it.

        Raises:
            OutOfOrderError: what it rests on was never to be stored.
        """
        if self._gave_up:
            return False
        mark = object()
        try:
            is_written = await keep_trying(lambda: self._try(write, mark), self._stop)
        finally:
            self._refused.discard(mark)
        self._gave_up |= not is_written
        return is_written

    async def _try(self, write: Callable[[], Awaitable[None]], mark: object) -> None:
        """One that comes before an earlier one of its run, because that was refused, is refused, too."""
        others_were = bool(self._refused - {mark})
        try:
            await write()
        except StoreUnavailableError:
            self._refused.add(mark)
            raise
        except OutOfOrderError as exc:
            if not (others_were or self._refused - {mark}):
                raise
            self._refused.add(mark)
            raise StoreUnavailableError("What comes before it was refused.") from exc
