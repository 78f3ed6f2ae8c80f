"""A few after the other: what many ask for at once is begun a few each turn of the event loop.

The loop runs all that is ready before it looks at its sockets again. Where a hundred requests become ready together,
whoever comes next waits for a hundred of them, at every step of its own. Begun a few a turn, as many are done in a
second, but a turn stays short; so what needs no turn, such as health, is answered soon whatever the load.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

A_TURN = 4
"""So many begin in one turn: with a request each, half a millisecond. One a turn would cost each of them a turn of the
loop of its own, 30 us."""


class _Turns:
    """Lets a few through each turn of the loop, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._left = A_TURN

    async def take(self) -> None:
        if self._left:  # then nobody waits
            self._let_through()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _let_through(self) -> None:
        if self._left == A_TURN:  # the first of this turn
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._left -= 1

    def _next_turn(self) -> None:
        self._left = A_TURN
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():  # else its task was cancelled
                turn.set_result(None)
                self._let_through()


# By a weak reference: a loop that is over takes its turns with it.
_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


async def take_turn() -> None:
    """Return when it is the caller's turn: at once, or, where others were before it, in a later turn of the loop."""
    loop = asyncio.get_running_loop()
    turns = _of_loop.get(loop)
    if turns is None:
        turns = _of_loop[loop] = _Turns()
    await turns.take()


class TakeTurns:
    """ASGI middleware, outside of all others: requests are begun in turns, but for the paths that are urgent."""

    def __init__(self, app: ASGIApp, urgent: Collection[str]) -> None:
        self._app = app
        self._urgent = urgent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, in turn."""
        if scope["type"] == "http" and scope["path"] not in self._urgent:
            await take_turn()
        await self._app(scope, receive, send)
