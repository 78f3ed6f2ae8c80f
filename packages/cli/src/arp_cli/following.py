"""Following a run to its end: its events as they come, then its result. Leaving early leaves the run alone."""

from __future__ import annotations

import signal
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import anyio

from arp_cli.ending import show_end
from arp_cli.exit_codes import exit_code_of
from arp_cli.failure import report
from arp_cli.view import open_view
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpTimeoutError
from arp_sdk.models import RunState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from arp_cli.session import Session
    from arp_cli.view import View
    from arp_sdk import AsyncDaemonClient, AsyncRunHandle
    from arp_sdk.models import RunStatus

# How often a run that waits is asked whether it still does.
_STATE_PERIOD_S = 1.0
# What a shell adds to the number of a signal.
_SIGNAL_BASE = 128


def follow_run(session: Session, find: Callable[[AsyncDaemonClient], Awaitable[AsyncRunHandle]]) -> int:
    """Show the run that `find` submits or comes back to until it ends, then its result; return the exit code.

    Raises:
        ArpApiError: the daemon refuses, or cannot be reached any more.
    """
    return anyio.run(_follow_run, session, find)


async def _follow_run(session: Session, find: Callable[[AsyncDaemonClient], Awaitable[AsyncRunHandle]]) -> int:
    async with session.async_client() as client:
        run = await find(client)
        run_id = run.run_id
        status = await run.status()
        session.note(run_id, "bold")
        try:
            with open_view(session) as view:
                left_by = await _watch(run, status, view)
        except (ArpConnectionError, ArpTimeoutError) as exc:
            code = report(exc, session)
            _tell_how_to_return(session, "The run is not lost.", run_id)
            return code
        if left_by:
            _tell_how_to_return(session, "You left; the run goes on.", run_id)
            return _SIGNAL_BASE + left_by
        result = await client.get_run_result(run_id)
        status = await run.status()
    show_end(session, status, result)
    return exit_code_of(status.state, result)


async def _watch(run: AsyncRunHandle, status: RunStatus, view: View) -> int:
    """Show events until the last one, and return 0; or the number of the signal that ended it before."""
    failure: ArpApiError | None = None
    left_by: list[int] = []
    async with anyio.create_task_group() as tasks:
        await tasks.start(_leave_on_signal, tasks.cancel_scope, left_by)
        tasks.start_soon(_tell_states, run, status, view)
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    view.tell_state(RunState.RUNNING)
                    view.show(event)
        except ArpApiError as exc:
            failure = exc
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return left_by[0] if left_by else 0


async def _leave_on_signal(
    scope: anyio.CancelScope, left_by: list[int], *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            left_by.append(number)
            scope.cancel()


async def _tell_states(run: AsyncRunHandle, status: RunStatus, view: View) -> None:
    """Tell the view as soon as a run that waits does so no more; before its first event nothing else tells."""
    while status.state is RunState.QUEUED:
        await anyio.sleep(_STATE_PERIOD_S)
        # Whether the daemon is gone shall be found out by whoever follows the events.
        with suppress(ArpApiError):
            status = await run.status()
    view.tell_state(RunState.RUNNING)


def _tell_how_to_return(session: Session, what: str, run_id: str) -> None:
    session.note(f"{what} To come back to it, or to cancel it:")
    for command in ("watch", "cancel"):
        session.note(f"  {session.command(command, run_id)}")
