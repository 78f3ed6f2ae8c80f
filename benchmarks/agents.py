"""The agents of the runs that are watched. It is loaded by path, in a runtime that knows nothing of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from arp_runtime import AgentContext

_LOOK_EVERY_S = 0.05


async def agent(context: AgentContext) -> None:
    """Says `tokens` tokens as fast as it can, or, once the file `gate` is there, tells `bursts` of `events`."""
    data = context.data
    if "gate" not in data:
        for _ in range(data["tokens"]):
            await context.emit_token("word ")
        return
    while not await anyio.Path(data["gate"]).exists():  # noqa: ASYNC110 - opened from another process
        await anyio.sleep(_LOOK_EVERY_S)
    for _ in range(data["bursts"]):
        await anyio.sleep(data["pause_s"])
        for _ in range(data["events"]):
            await context.emit_token("word ")
