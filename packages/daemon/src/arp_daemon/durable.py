"""Writing what has happened: once begun it is not cancelled, and a store that refuses is asked again."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio
import structlog

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


async def keep_trying(write: Callable[[], Awaitable[None]], stop: Stop) -> None:
    """Write what has happened; it cannot be taken back, so a store that refuses is asked again.

    When the process closes meanwhile, the next daemon finds the store as it was, and asks the instances.
    """
    while True:
        try:
            await write()
        except StoreUnavailableError as exc:
            _log.error("store_refuses", error=exc.message)
            if stop.closing.is_set():
                return
            await anyio.sleep(_STORE_RETRY_S)
        else:
            return
