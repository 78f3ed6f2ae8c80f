"""Where an instance will listen: bound for it, picked for it, or nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.launcher.child import LISTEN_FD
from arp_daemon.launcher.sockets import listen_tcp, pick_port

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection
    from pathlib import Path
    from types import TracebackType

    from arp_daemon.launcher.protocol import LaunchSpec
    from arp_daemon.launcher.socket_folder import SocketFolder
    from arp_daemon.launcher.users import User

__all__ = ["Endpoint"]


class Endpoint:
    """The listening place of one launch.

    A context manager: on leaving, the launcher's copy of the socket is closed, so that the port of a dead
    instance refuses connections. The place of a Unix socket stays until `remove`, and goes with a launch that failed.
    """

    def __init__(self, spec: LaunchSpec, taken: Collection[int], folder: SocketFolder, user: User | None) -> None:
        """Bind or pick, as `spec.listen` says.

        `taken` are ports of other instances, which may not have bound theirs yet.

        Raises:
            InvalidSpecError: the host is no IP address.
            LaunchFailedError, OSError: this machine cannot listen there.
        """
        self.socket: socket.socket | None = listen_tcp(spec.host) if spec.listen == "fd" else None
        self.host = spec.host if spec.listen in {"fd", "port"} else None
        self.port: int | None = None
        self.path: Path | None = folder.make(user) if spec.listen == "uds" else None
        self._folder = folder
        if self.socket:
            self.port = self.socket.getsockname()[1]
        elif spec.listen == "port":
            self.port = pick_port(spec.host, taken)

    @property
    def placeholders(self) -> dict[str, str]:
        """The values for argv."""
        values = {} if self.host is None else {"host": self.host, "port": str(self.port)}
        if self.path is not None:
            values["uds"] = str(self.path)
        return values | ({"fd": str(LISTEN_FD)} if self.socket else {})

    def remove(self) -> None:
        """Remove the place of a Unix socket. Call when nothing of the instance is left."""
        if self.path is not None:
            self._folder.remove(self.path)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.socket:
            self.socket.close()
        if exc_type is not None:
            self.remove()
