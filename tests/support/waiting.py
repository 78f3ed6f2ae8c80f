"""Waiting for facts that nobody announces: on the disk, among the processes, or in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

# A loaded machine takes its time; nobody waits as long where things work.
_TIMEOUT_S = 60
_LOOK_EVERY_S = 0.05


async def until(is_so: Callable[[], bool]) -> None:
    """Return when `is_so`; a fact that does not come is a failure of the test."""
    with anyio.fail_after(_TIMEOUT_S):
        while True:
            if is_so():
                return
            await anyio.sleep(_LOOK_EVERY_S)


async def until_answer(ask: Callable[[], Awaitable[T]], is_it: Callable[[T], bool]) -> T:
    """Ask until the answer is the one that is waited for, and return it; where it does not come, show the last one."""
    answer: T | None = None
    with anyio.move_on_after(_TIMEOUT_S):
        while True:
            answer = await ask()
            if is_it(answer):
                return answer
            await anyio.sleep(_LOOK_EVERY_S)
    raise TimeoutError(f"The last answer was {answer!r}")
