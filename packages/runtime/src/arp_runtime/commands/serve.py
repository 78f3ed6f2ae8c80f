"""`arp-runtime serve`: runs over HTTP, until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import anyio
import structlog
from cyclopts import Parameter, validators

from arp_runtime.agents.loading import AgentNotLoadableError
from arp_runtime.app import create_runtime_app
from arp_runtime.commands.agent_options import (
    NO_AGENT_OPTIONS,
    NO_CAPACITY_OPTIONS,
    AgentOptions,
    CapacityOptions,
)
from arp_runtime.commands.door_options import NO_DOOR_OPTIONS, DoorOptions
from arp_runtime.commands.record_options import NO_RECORD_OPTIONS, RecordOptions
from arp_runtime.commands.tool_options import NO_TOOL_OPTIONS, ToolOptions
from arp_runtime.runs.manager import Keeping
from arp_runtime.runtime_parts import RuntimeParts
from arp_runtime.tools.loading import ToolsNotLoadableError, load_tools, open_tools
from arp_service.admission import open_admission
from arp_service.folder_lock import FolderError
from arp_service.logs import configure_logging
from arp_service.serving import CannotListenError, bind, serve, url_of
from arp_service.sqlite import StoreTooNewError, StoreUnavailableError
from arp_service.token_file import TokenFileError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from starlette.applications import Starlette

    from arp_runtime.records.opening import Records
    from arp_runtime.runs.manager import RunManager
    from arp_service.stopping import Stop
    from arp_service.token_file import TokenFile

DEFAULT_PORT = 8081
# After the runs have ended: for streams to end and connections to close. Where an agent resists its
# cancellation, the kernel ends the process then.
_LAST_RESORT_S = 6

_log = structlog.get_logger(__name__)

CANNOT_START = (
    AgentNotLoadableError,
    CannotListenError,
    FolderError,
    StoreTooNewError,
    StoreUnavailableError,
    TokenFileError,
    ToolsNotLoadableError,
)
"""What an operator can mend, told in one sentence; anything else is a bug, and shows itself whole."""


def serve_command(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    auto_port: Annotated[bool, Parameter(negative=())] = False,
    agent_options: AgentOptions = NO_AGENT_OPTIONS,
    tool_options: ToolOptions = NO_TOOL_OPTIONS,
    capacity_options: CapacityOptions = NO_CAPACITY_OPTIONS,
    record_options: RecordOptions = NO_RECORD_OPTIONS,
    drain_grace_s: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 5.0,
    reload: bool = False,
    door_options: DoorOptions = NO_DOOR_OPTIONS,
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> None:
    """Serve runs over HTTP until SIGTERM or Ctrl-C; a second one does not wait for runs under way.

    Parameters
    ----------
    host
        The address to listen on, or fd://N for a listening socket that was passed on. Beyond loopback it needs a token.
    port
        The port; 0 takes any free one.
    auto_port
        Take the next free port when this one is taken.
    agent_options
        Which agent executes runs.
    tool_options
        What tools runs may use.
    capacity_options
        How many runs there may be.
    record_options
        How long runs are kept, and where.
    drain_grace_s
        Seconds for runs under way to end when the runtime is stopped.
    reload
        Start anew when code in the current folder changes; for development.
    door_options
        Who gets in.
    log_level
        The least important messages that are logged, to stderr.
    """
    configure_logging(log_level)
    try:
        token = door_options.open_token()
        if reload:
            _reload(host, port, auto_port, agent_options.agent, drain_grace_s, token)
        parts = parts_of(agent_options, tool_options, capacity_options, record_options)
        listener = bind(host, port, auto_port=auto_port, token=token is not None)
        with open_admission(door_options.uids(), token) as admit:
            app = partial(create_runtime_app, admit=admit, allowed_hosts=door_options.allowed_hosts())
            anyio.run(_serve, parts, app, listener, drain_grace_s)
    except CANNOT_START as error:
        sys.exit(f"arp-runtime: {error}")


def parts_of(
    agent_options: AgentOptions = NO_AGENT_OPTIONS,
    tool_options: ToolOptions = NO_TOOL_OPTIONS,
    capacity_options: CapacityOptions = NO_CAPACITY_OPTIONS,
    record_options: RecordOptions = NO_RECORD_OPTIONS,
) -> RuntimeParts:
    """The runtime that these options describe. Raises AgentNotLoadableError, ToolsNotLoadableError."""
    agent = agent_options.load()
    return RuntimeParts(
        agent=agent,
        tools=open_tools(load_tools(tool_options.tools), tool_options.tool_registry_url),
        artifacts=agent_options.artifacts(record_options.data_dir),
        records=record_options.settings(),
        capacity=capacity_options.capacity(agent),
        keeping=Keeping(record_options.limits(), agent_options.cancel_grace_s),
    )


def _reload(
    host: str, port: int, auto_port: bool, agent: str, drain_grace_s: float, token: TokenFile | None
) -> NoReturn:
    """Serve in a process of its own, again and again. What does not concern the socket is that process's business."""
    from arp_runtime.commands.reloading import NoReloadError, serve_with_reload  # noqa: PLC0415 - not for instances

    try:
        listener = bind(host, port, auto_port=auto_port, token=token is not None)
        anyio.run(serve_with_reload, sys.argv[1:], listener, agent, drain_grace_s)
    except (CannotListenError, NoReloadError) as error:
        sys.exit(f"arp-runtime: {error}")
    sys.exit(0)


async def _serve(
    parts: RuntimeParts, app: Callable[[RunManager, Records, Stop], Starlette], listener: socket.socket, grace_s: float
) -> None:
    async with parts.open() as runtime:
        say_ready = partial(_log.info, "listening", url=url_of(listener))
        await serve(app(*runtime), listener, runtime.stop, partial(_drain, runtime.runs, grace_s), say_ready)


async def _drain(runs: RunManager, grace_s: float) -> None:
    await runs.drain(grace_s)
    signal.alarm(_LAST_RESORT_S)
