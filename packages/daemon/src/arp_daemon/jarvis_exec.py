"""`extensions["arp.jarvis.exec"]`: how profiles written for arp-jarvis-daemon 0.1.0 say how to launch.

They are translated to `arp.exec` at this one seam. What they never said is as that daemon had it: `{port}` on
127.0.0.1, its own working directory, 15 s to start and 5 s to stop. It had no limit on instances; here it is 8.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTENSION = "arp.jarvis.exec"

_MAX_INSTANCES = 8
_START_TIMEOUT_S, _STOP_GRACE_S = 15.0, 5.0
_PATH_STARTS = ("/", "./", "../")
_REGISTRY, _JARVIS_REGISTRY = "ARP_TOOL_REGISTRY_URL", "JARVIS_TOOL_REGISTRY_URL"
_TRACE_FOLDER = "JARVIS_TRACE_DIR"

_Text = Annotated[str, Meta(pattern=r"\S")]


class _Pip(msgspec.Struct, tag_field="driver", tag="pip"):
    pip_spec: _Text
    entrypoint: Annotated[str, Meta(pattern=r"^\s*[\w.-]+\s*\Z")]
    entrypoint_args: list[str] | None = None


class _Command(msgspec.Struct, tag_field="driver", tag="command"):
    command_template: Annotated[list[str], Meta(min_length=1)]


def translate(payload: Any) -> dict[str, Any]:
    """Return the same as an `arp.exec` object; the driver is `pip` where none is given.

    Raises:
        msgspec.ValidationError: that daemon would have refused it too; the message names the place.
    """
    if isinstance(payload, dict) and not payload.get("driver"):
        payload = payload | {"driver": "pip"}
    given = msgspec.convert(payload, _Pip | _Command)
    shared = {
        "max": _MAX_INSTANCES,
        "listen": "port",
        "start_timeout_s": _START_TIMEOUT_S,
        "stop_grace_s": _STOP_GRACE_S,
        "working_directory": str(_daemon_folder()),
    }
    if isinstance(given, _Command):
        return shared | {"driver": "command", "command": given.command_template}
    args = ["serve"] if given.entrypoint_args is None else given.entrypoint_args
    return shared | {
        "driver": "python",
        "requirements": [_requirement(given.pip_spec.strip())],
        "command": [f"{{bin}}/{given.entrypoint.strip()}", *args, "--port", "{port}"],
    }


def is_in_force(extensions: dict[str, Any] | UnsetType) -> bool:
    """Whether a profile is launched as this extension says: `arp.exec` would come first."""
    return extensions is not UNSET and EXTENSION in extensions and "arp.exec" not in extensions


def variables(env: Mapping[str, str], data_dir: Path) -> dict[str, str]:
    """What that daemon set beside `env`: the registry under its older name, and a folder for traces."""
    registry = {_JARVIS_REGISTRY: env[_REGISTRY]} if _REGISTRY in env else {}
    return {**registry, _TRACE_FOLDER: str(data_dir / "jarvis-traces"), **env}


def _requirement(pip_spec: str) -> str:
    """A local path becomes a file URL: pip took it from its own working directory."""
    return (_daemon_folder() / pip_spec).resolve().as_uri() if pip_spec.startswith(_PATH_STARTS) else pip_spec


@cache
def _daemon_folder() -> Path:
    """Where the daemon was started; a daemon changes its folder never."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")
