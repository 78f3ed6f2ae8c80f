"""One after the other: what many ask for at once is begun a piece each turn of the event loop.

The loop runs all that is ready before it looks at its sockets again. Where a hundred requests become ready together,
whoever comes next waits for a hundred of them, at every step of its own. Begun one a turn, as many are done in a
second, but a turn stays short; so what needs no turn, such as health, is answered soon whatever the load.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from anyio.lowlevel import RunVar

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send


class _Turns:
    """A queue that lets one through each turn of the loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def take(self) -> None:
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._turning:
            self._turning = True
            loop.call_soon(self._pass_one)
        await turn

    def _pass_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else its task was cancelled
                turn.set_result(None)
                break
        self._turning = bool(self._waiting)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._pass_one)


_of_loop: RunVar[_Turns] = RunVar("turns")


async def take_turn() -> None:
    """Return when it is the caller's turn: first come, first served, one each turn of the loop."""
    turns = _of_loop.get(None)
    if turns is None:
        turns = _Turns()
        _of_loop.set(turns)
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
