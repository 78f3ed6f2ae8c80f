"""Serving an app on Hypercorn, in this process, until it is told to stop."""

from __future__ import annotations

import errno
import gc
import logging
import socket
from functools import partial
from time import time
from typing import TYPE_CHECKING

import anyio
import hypercorn.asyncio.run
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from arp_service.connection import Connection
from arp_service.door import is_loopback_host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp

    from arp_service.stopping import Stop

_BACKLOG = 1024
# An idle connection is closed after so long; pooled clients keep theirs for less.
_KEEP_ALIVE_S = 75
_REQUESTS_A_CONNECTION = 1_000_000
# For answers under way when the server closes; streams have ended before.
_GRACEFUL_S = 3
# A half-open peer (its machine is gone) is noticed after about this long.
_USER_TIMEOUT_MS = 60_000
_KEEPIDLE_S, _KEEPINTVL_S, _KEEPCNT = 30, 10, 3
# Of Python's garbage collector: objects until the youngest are looked over, and how often until older ones are.
_COLLECT_THRESHOLDS = (5000, 20, 100)
_FIRST_AUTO_PORTS = 100
_LAST_PORT = 65535
_IP = (socket.AF_INET, socket.AF_INET6)


hypercorn.asyncio.run.TCPServer = Connection  # type: ignore[attr-defined,assignment]  # the only way in


class _Config(Config):
    """Settings whose `Date` header is written once a second, not for each answer."""

    _dated_at = 0
    _dated: list[tuple[bytes, bytes]]

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:
        """The headers that each answer has."""
        now = int(time())
        if now != self._dated_at:
            self._dated_at, self._dated = now, super().response_headers(protocol)
        return self._dated


class CannotListenError(Exception):
    """The address cannot be bound; the message names the cure."""


def bind(host: str, port: int, *, auto_port: bool = False, token: bool = False) -> socket.socket:
    """Return a listening-ready TCP socket: on a loopback address, or on any where a `token` is in force.

    `host` may be `fd://N`: an inherited socket, already bound. `port` 0 takes any free port; with `auto_port`
    the next free one after `port`.

    Raises:
        CannotListenError: there is no such port or address, it is taken, or it is not loopback and there is no token.
    """
    if host.startswith("fd://"):
        return _inherited(host, token=token)
    if not token and is_beyond_loopback(host):
        raise CannotListenError(
            f"--host {host}: only loopback (127.0.0.1, ::1, localhost) is served without a token; "
            "name the file of one with --token-file."
        )
    if not 0 <= port <= _LAST_PORT:  # the resolver would take what is left of it after a division
        raise CannotListenError(f"--port {port}: a port is a number from 0 to {_LAST_PORT}.")
    ports = range(port, min(port + _FIRST_AUTO_PORTS, _LAST_PORT + 1)) if auto_port and port else (port,)
    for candidate in ports:
        listener = _try_bind(host, candidate)
        if listener is not None:
            return listener
    raise CannotListenError(f"Port {port} of {host} is taken: stop what listens there, or use --auto-port.")


def is_beyond_loopback(host: str) -> bool:
    """Whether others than this machine could reach what listens there; what cannot be told could be reached."""
    if not host.startswith("fd://"):
        return not is_loopback_host(host)
    try:
        listener = _socket_of(host)
    except CannotListenError:
        return True
    try:
        return listener.family not in _IP or not is_loopback_host(listener.getsockname()[0])
    finally:
        listener.detach()  # it is not ours to close


def url_of(listener: socket.socket) -> str:
    """The base URL at which a bound socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    stop: Stop,
    drain: Callable[[], Awaitable[None]],
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until the stop is requested, then let `drain` finish the work, end the streams, close.

    `drain` bounds itself. `ready` is called once the socket's connections will be served: the time to say so. Takes
    over the socket.
    """
    _collect_seldom()
    async with anyio.create_task_group() as tasks:
        ready()
        tasks.start_soon(_serve_until_drained, app, listener, partial(_until_drained, stop, drain), tasks.cancel_scope)


def _collect_seldom() -> None:
    """A full collection holds everything up: let it leave out what has been imported, and come seldom.

    Nearly all garbage is freed without it, and what is left in cycles is mostly young. A fork of a process that has
    served before has little to collect: to do so would write to more memory than it could free.
    """
    if gc.get_threshold() != _COLLECT_THRESHOLDS:
        gc.collect()
        gc.set_threshold(*_COLLECT_THRESHOLDS)
    gc.freeze()


async def _serve_until_drained(
    app: ASGIApp,
    listener: socket.socket,
    until: Callable[[], Awaitable[None]],
    scope: anyio.CancelScope,
) -> None:
    """Hypercorn in a task of its own: it leaves its task with a cancellation request that was never taken back."""
    await hypercorn_serve(
        app,  # type: ignore[arg-type]  # Hypercorn types ASGI apps by its own TypedDicts
        _config(listener),
        shutdown_trigger=until,
    )
    scope.cancel()


async def _until_drained(stop: Stop, drain: Callable[[], Awaitable[None]]) -> None:
    await stop.requested.wait()
    await drain()
    stop.closing.set()


def _config(listener: socket.socket) -> Config:
    config = _Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = _BACKLOG
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.keep_alive_max_requests = _REQUESTS_A_CONNECTION
    config.graceful_timeout = _GRACEFUL_S
    config.include_server_header = False
    config.errorlog = logging.getLogger("arp.http")
    config.accesslog = None
    return config


def _inherited(host: str, *, token: bool) -> socket.socket:
    listener = _socket_of(host)
    if listener.family not in _IP or (not token and is_beyond_loopback(host)):
        listener.detach()  # it is not ours to close
        raise CannotListenError(
            f"--host {host}: the inherited socket is not bound to a loopback address, and there is no --token-file."
        )
    return listener


def _socket_of(host: str) -> socket.socket:
    try:
        return socket.socket(fileno=int(host.removeprefix("fd://")))
    except (ValueError, OSError) as exc:
        raise CannotListenError(f"--host {host}: no inherited socket has that number.") from exc


def _try_bind(host: str, port: int) -> socket.socket | None:
    """Return None where the port is taken."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise CannotListenError(f"--host {host}: there is no such address: {exc.strerror}.") from exc
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    set_keepalive(listener)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            return None
        raise CannotListenError(f"Nothing can listen on port {port} of {host}: {exc.strerror}.") from exc
    return listener


def set_keepalive(listener: socket.socket) -> None:
    """Notice half-open peers; accepted connections inherit this."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPIDLE_S)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPINTVL_S)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPCNT)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
