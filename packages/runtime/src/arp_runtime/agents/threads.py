"""Plain functions as agents: each run in a thread of its own.

Nobody can stop a thread. One whose run is ended from outside sees that in `context.canceled`, and every call of its
context raises the reason. One that takes no notice is left behind: `AgentContext.left_behind` tells of its end. The
threads are daemons, so that such a one does not outlive the runtime.
"""

from __future__ import annotations

import inspect
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.from_thread import BlockingPortal

from arp_runtime.agents.events import Telling
from arp_runtime.agents.sync_context import SyncAgentContext
from arp_runtime.daemon_thread import DaemonCall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from arp_model import ResourceRef, RunEventType, ToolDefinition
    from arp_runtime.agents.context import AgentContext


class ThreadPort:
    """An `AgentPort` from a thread of the same process."""

    def __init__(self, context: AgentContext, portal: BlockingPortal) -> None:
        self._context = context
        self._portal = portal
        self.usage = context.usage

    @property
    def deadline(self) -> datetime | None:
        """See `AgentPort`."""
        return self._context.deadline

    @property
    def canceled(self) -> bool:
        """See `AgentPort`."""
        return self._context.canceled

    def emit(self, type_: RunEventType | str, data: Mapping[str, Any] | None) -> None:
        """See `AgentPort`."""
        self._ask(self._context.emit, type_, data)

    def artifact(self, name: str, content: str | bytes | None, uri: str | None) -> ResourceRef:
        """See `AgentPort`."""

        async def artifact() -> ResourceRef:
            return await self._context.artifact(name, content, uri=uri)

        made: ResourceRef = self._ask(artifact)
        return made

    def list_tools(self) -> Sequence[ToolDefinition]:
        """See `AgentPort`."""
        return self._context.tools.list()

    def call_tool(self, tool_id: str, args: Mapping[str, Any]) -> Any:
        """See `AgentPort`."""
        return self._ask(self._context.tools.call, tool_id, args)

    def _ask(self, function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Call it in the event loop, for as long as the run is not ended from outside."""
        self._check()
        try:
            return self._portal.call(function, *args)
        except (CancelledError, RuntimeError):  # the portal closed in between
            self._check()
            raise

    def _check(self) -> None:
        if self._context.halt.reason is not None:
            raise self._context.halt.reason


def call_plain(function: Callable[[SyncAgentContext], Any], context: SyncAgentContext) -> Any:
    """Call a plain function or generator function, tell what it yields, and return its output."""
    value = function(context)
    if not inspect.isgenerator(value):
        return value
    telling = Telling()
    while True:
        try:
            event = telling.take(next(value))
        except StopIteration as end:
            return telling.ending() if end.value is None else end.value
        if event is not None:
            context.emit(event.type, event.data)


async def call_in_thread(function: Callable[[SyncAgentContext], Any], context: AgentContext) -> Any:
    """Call a plain function in a thread of its own, and return what it returns.

    Cancelled, it ends at once, and leaves the thread behind.
    """
    async with BlockingPortal() as portal:
        sync_context = SyncAgentContext(context.request, context.run_id, ThreadPort(context, portal))
        call = DaemonCall(partial(call_plain, function, sync_context), f"run {context.run_id}")
        call.start()
        try:
            await call.ended.wait()
        finally:
            if not call.ended.is_set():
                context.left_behind = call.ended
    return call.outcome()
