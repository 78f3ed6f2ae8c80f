"""Sockets: the launcher's own, and those it binds for instances."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from arp_daemon.launcher.errors import InvalidSpecError, LaunchFailedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["bind_unix", "check_peer_is_own_user", "listen_tcp", "pick_port", "unix_path"]

_BACKLOG = 1024
# A half-open peer is noticed after 60 + 3 * 15 s of silence, or when data is not acknowledged for 30 s. Linux
# hands these down from a listening socket to those it accepts (tcp(7)).
_TCP_OPTIONS = {
    "TCP_KEEPIDLE": 60,
    "TCP_KEEPINTVL": 15,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30_000,
}
# Picks until a port is found that no instance of ours is about to use.
_PORT_PICKS = 16


@contextmanager
def unix_path(folder: Path, name: str) -> Iterator[str]:
    """Yield a short path for a socket in `folder`: sun_path ends at 107 bytes, data dirs do not (unix(7))."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{name}"
    finally:
        os.close(fd)


def bind_unix(folder: Path, name: str) -> socket.socket:
    """Return a listening Unix socket for this user alone, in place of any old one.

    The caller holds the lock of the data dir, so an old one is nobody's. Never call with threads about: the
    umask is the process's.
    """
    with suppress(FileNotFoundError):
        (folder / name).unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_umask = os.umask(0o177)
    try:
        with unix_path(folder, name) as path:
            sock.bind(path)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(old_umask)
    sock.listen(_BACKLOG)
    sock.settimeout(0.0)
    return sock


def check_peer_is_own_user(sock: socket.socket) -> None:
    """Refuse a Unix socket's other end unless it is this process's own user (SO_PEERCRED, unix(7)).

    Raises:
        PermissionError: it is somebody else.
    """
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    if uid != os.geteuid():
        raise PermissionError(f"The peer is uid {uid}, not {os.geteuid()}.")


def listen_tcp(host: str) -> socket.socket:
    """Return a socket that listens on the numeric address `host` at a free port.

    Raises:
        InvalidSpecError: `host` is no IP address.
        LaunchFailedError: this machine cannot listen there.
    """
    sock = _bind_tcp(host)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_OPTIONS.items():
        sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    sock.listen(_BACKLOG)
    return sock


def pick_port(host: str, taken: Collection[int]) -> int:
    """Return a port on `host` that is free now and not in `taken`. Another program may still be quicker.

    Raises:
        InvalidSpecError: `host` is no IP address.
        LaunchFailedError: this machine has no free port there.
    """
    for _ in range(_PORT_PICKS):
        with _bind_tcp(host) as sock:
            port: int = sock.getsockname()[1]
        if port not in taken:
            return port
    raise LaunchFailedError(f"No port is free on {host}.")


def _bind_tcp(host: str) -> socket.socket:
    try:
        address = ipaddress.ip_address(host)
    except ValueError as exc:
        raise InvalidSpecError(f"host: {host!r} is not an IP address.") from exc
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.bind((host, 0))
    except OSError as exc:
        sock.close()
        raise LaunchFailedError(f"Cannot listen on {host}: {exc.strerror}.") from exc
    return sock
