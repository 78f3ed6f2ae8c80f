"""What can go wrong between the daemon and its launcher.

LauncherError                 what every call to the launcher may raise
├── LauncherStartError        no launcher could be started or reached
├── LauncherGoneError         the connection broke: the launcher died, ended, or was never there
├── LauncherStoppingError     the launcher is ending and starts nothing more
├── InvalidSpecError          the launch spec contradicts itself; nothing was started
├── InstanceExistsError       a live instance has this id
├── UnknownInstanceError      the launcher knows no instance with this id
├── LaunchFailedError         the process did not come up; carries the tail of what it said
│   └── ProgramNotFoundError  argv[0] is no executable file on the PATH of the spec's env
└── StopFailedError           something of the instance's tree could not be killed in time

Codes are stable; they are also what the launcher puts on the wire.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "InstanceExistsError",
    "InvalidSpecError",
    "LaunchFailedError",
    "LauncherError",
    "LauncherGoneError",
    "LauncherStartError",
    "LauncherStoppingError",
    "ProgramNotFoundError",
    "StopFailedError",
    "UnknownInstanceError",
    "error_from_code",
]


class LauncherError(Exception):
    """A call to the launcher failed."""

    code: ClassVar[str] = "launcher_error"

    def __init__(self, message: str, stderr_tail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.stderr_tail = stderr_tail


class LauncherStartError(LauncherError):
    """No launcher could be started or reached; the message says why."""

    code = "launcher_start_failed"


class LauncherGoneError(LauncherError):
    """The connection to the launcher broke. Whether the call took effect is not known."""

    code = "launcher_gone"


class LauncherStoppingError(LauncherError):
    """The launcher is ending and starts nothing more."""

    code = "launcher_stopping"


class InvalidSpecError(LauncherError):
    """The launch spec contradicts itself. Nothing was started."""

    code = "invalid_spec"


class InstanceExistsError(LauncherError):
    """A live instance has this id."""

    code = "instance_exists"


class UnknownInstanceError(LauncherError):
    """The launcher knows no instance with this id, live or ended."""

    code = "unknown_instance"


class LaunchFailedError(LauncherError):
    """The process did not come up; `stderr_tail` has the last of what it or its template said."""

    code = "launch_failed"


class ProgramNotFoundError(LaunchFailedError):
    """The program is no executable file on the PATH of the spec's env."""

    code = "program_not_found"


class StopFailedError(LauncherError):
    """Something of the instance's tree could not be killed in time (uninterruptible sleep, another user)."""

    code = "stop_failed"


_WIRE_ERRORS: dict[str, type[LauncherError]] = {
    error.code: error
    for error in (
        LauncherStoppingError,
        InvalidSpecError,
        InstanceExistsError,
        UnknownInstanceError,
        LaunchFailedError,
        ProgramNotFoundError,
        StopFailedError,
    )
}


def error_from_code(code: str, message: str, stderr_tail: str) -> LauncherError:
    """Return the error that the launcher answered with; an unknown code is a plain LauncherError."""
    return _WIRE_ERRORS.get(code, LauncherError)(message, stderr_tail)
