"""`extensions["arp.exec"]` of a profile: how to launch an instance, and how many. Pure values.

Without it a profile only labels registered instances.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from arp_daemon.errors import InvalidProfileError

EXTENSION = "arp.exec"

_Seconds = Annotated[float, Meta(gt=0, le=3600)]
_Count = Annotated[int, Meta(ge=1, le=1000)]


class ExecSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver"):
    """What every driver shares. `concurrency` is how many runs an instance is given at once."""

    min: Annotated[int, Meta(ge=0, le=1000)] = 0
    max: _Count = 1
    concurrency: _Count | None = None
    start_timeout_s: _Seconds = 30.0
    stop_grace_s: _Seconds = 5.0


class RuntimeExec(ExecSpec, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="runtime"):
    """Our runtime with an agent. `template` names the `module:function` to fork from a warm process."""

    agent: str = "default"
    template: Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None


class CommandExec(ExecSpec, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="command"):
    """Any program that serves ARP v1; `{host}` and `{port}` in its words are replaced. Never through a shell.

    With `listen` `fd` it is given a bound socket instead of a port, as descriptor `{fd}`.
    """

    command: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
    listen: Literal["fd", "port"] = "port"
    working_directory: str | None = None


AnyExec = RuntimeExec | CommandExec


def find_exec(extensions: dict[str, Any] | msgspec.UnsetType) -> AnyExec | None:
    """Return the launch details among a profile's extensions, or None.

    Raises:
        InvalidProfileError: they make no sense; the message names the place.
    """
    if extensions is msgspec.UNSET or EXTENSION not in extensions:
        return None
    try:
        found: AnyExec = msgspec.convert(extensions[EXTENSION], AnyExec)
    except msgspec.ValidationError as exc:
        place = f'$.extensions["{EXTENSION}"]'
        raise InvalidProfileError(f"{place}: {str(exc).replace('`$', f'`{place}')}.") from exc
    if found.min > found.max:
        raise InvalidProfileError(f'$.extensions["{EXTENSION}"].min: {found.min} is over max, which is {found.max}.')
    return found
