"""`extensions["arp.exec"]` of a profile: how to launch an instance, and how many. Pure values.

Without it a profile only labels registered instances. `arp.jarvis.exec` is understood in its place.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from arp_daemon import jarvis_exec
from arp_daemon.errors import InvalidProfileError
from arp_daemon.pinning import check_index, check_pinned

EXTENSION = "arp.exec"
DEFAULT_MAX_QUEUED = 50_000

_Seconds = Annotated[float, Meta(gt=0, le=3600)]
_Count = Annotated[int, Meta(ge=1, le=1000)]
_Limit = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Words = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]
# Whatever the runtime's --agent takes; told apart from an option, and printable where it is shown.
AgentName = Annotated[str, Meta(pattern=r"^[^-\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*\Z", max_length=1000)]
VariableName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z")]


class EnvFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the value of a variable comes from at launch: a file of the operator's folder of secrets, or a variable
    of the daemon that the operator lends. The value is nowhere stored.
    """

    file: Annotated[str, Meta(min_length=1)] | None = None
    env: VariableName | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.env is None):
            raise ValueError("give either file or env")


class AllowOverrides(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client may set when it creates an instance. See `arp_daemon.overrides`."""

    env: list[Annotated[str, Meta(pattern=r"^(\*|[A-Za-z_][A-Za-z0-9_]*)\Z")]] = msgspec.field(
        default_factory=lambda: ["*"]
    )
    args: bool = True
    tool_registry_url: bool = True


class ResourceLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one instance, with all that it starts, may use; what is left out is not limited.

    `cpu_weight` is its share of the CPU beside others where there is not enough for all; 100 is the usual one.
    """

    memory_mib: Annotated[int, Meta(ge=16, le=2**30)] | None = None
    processes: Annotated[int, Meta(ge=1, le=2**22)] | None = None
    open_files: Annotated[int, Meta(ge=16, le=2**30)] | None = None
    cpu_weight: Annotated[int, Meta(ge=1, le=10_000)] | None = None


class ExecSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver"):
    """What every driver shares. `concurrency` is how many runs an instance is given at once.

    There are always `min` instances and `warm` more than have runs, up to `max`. One that has had no run for
    `idle_timeout_s` is stopped. One that ends by itself is replaced as `restart` says: `unexpected` means by a
    signal or with another exit code than 0.

    `user` is the name or number of the user that it runs as, and `limits` are kept by the kernel as far as this
    machine allows.

    `env` is set before the profile's `defaults.env`, and `env_from` after it. `max_queued` bounds the runs that wait
    (`DEFAULT_MAX_QUEUED` where it is None),
    `retries` says how often a run is tried again whose instance was lost, and `max_timeout_ms`, `max_steps` and
    `max_tokens` are ceilings for a run's limits.
    """

    min: Annotated[int, Meta(ge=0, le=1000)] = 0
    max: _Count = 1
    warm: Annotated[int, Meta(ge=0, le=1000)] = 0
    idle_timeout_s: _Seconds | None = None
    restart: Literal["always", "unexpected", "never"] = "unexpected"
    concurrency: _Count | None = None
    start_timeout_s: _Seconds = 30.0
    stop_grace_s: _Seconds = 5.0
    working_directory: str | None = None
    user: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?\Z", max_length=64)] | None = None
    limits: ResourceLimits = ResourceLimits()
    env: dict[VariableName, str] = {}
    env_from: dict[VariableName, EnvFrom] = {}
    allow_overrides: AllowOverrides = msgspec.field(default_factory=AllowOverrides)
    max_queued: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    retries: Annotated[int, Meta(ge=0, le=100)] = 0
    max_timeout_ms: _Limit | None = None
    max_steps: _Limit | None = None
    max_tokens: _Limit | None = None

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError(f"min: {self.min} is over max, which is {self.max}")
        if self.working_directory is not None and not PurePosixPath(self.working_directory).is_absolute():
            raise ValueError("working_directory: not an absolute path")
        if unusable := [name for name, value in self.env.items() if "\0" in value]:
            raise ValueError(f"env: {unusable[0]} holds a NUL")


class RuntimeExec(ExecSpec, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="runtime"):
    """Our runtime with an agent. `template` names the `module:function` to fork from a warm process."""

    agent: AgentName = "default"
    template: Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None


class CommandExec(ExecSpec, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="command"):
    """Any program that serves ARP v1; `{host}` and `{port}` in its words are replaced. Never through a shell.

    With `listen` `fd` it is given a bound socket instead of a port, as descriptor `{fd}`, and with `uds` the path of a
    Unix socket as `{uds}`. Without `listen`, its words tell which.
    """

    command: _Words
    listen: Literal["fd", "port", "uds"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_words(self.command, self.listen)


class PythonExec(ExecSpec, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="python"):
    """An environment of its own, made from pinned requirements, and what runs in it: an `agent` on our runtime, or a
    `command`, in whose words `{python}` and `{bin}` (the folder of the environment's programs) are replaced as well.

    `python` is a name that the operator gave to an interpreter; without it the daemon's own is taken.
    """

    requirements: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=1000)]
    python: Annotated[str, Meta(min_length=1)] | None = None
    installer: Literal["uv", "pip"] | None = None
    index_url: str | None = None
    extra_index_urls: list[str] = []
    find_links: list[str] = []
    no_index: bool = False
    build_timeout_s: _Seconds = 600.0
    agent: AgentName | None = None
    command: _Words | None = None
    listen: Literal["fd", "port", "uds"] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.agent is None) == (self.command is None):
            raise ValueError("give either agent or command")
        _check_words(self.command or [], self.listen)
        for requirement in self.requirements:
            check_pinned(requirement)
        for index in (*filter(None, [self.index_url]), *self.extra_index_urls):
            check_index(index)
        for place in self.find_links:
            check_index(place, path_too=True)


AnyExec = RuntimeExec | CommandExec | PythonExec
_DRIVERS = [kind.__struct_config__.tag for kind in (RuntimeExec, CommandExec, PythonExec)]


def find_exec(extensions: dict[str, Any] | msgspec.UnsetType) -> AnyExec | None:
    """Return the launch details among a profile's extensions, or None.

    Raises:
        InvalidProfileError: they make no sense; the message names the place.
    """
    if extensions is msgspec.UNSET:
        return None
    key = EXTENSION if EXTENSION in extensions else jarvis_exec.EXTENSION
    if key not in extensions:
        return None
    place = f'$.extensions["{key}"]'
    try:
        details = extensions[key] if key == EXTENSION else jarvis_exec.translate(extensions[key])
        if isinstance(details, dict) and details.get("driver") not in _DRIVERS:
            raise InvalidProfileError(f"{place}.driver: use one of {', '.join(map(str, _DRIVERS))}.")
        found: AnyExec = msgspec.convert(details, AnyExec)
    except msgspec.ValidationError as exc:
        raise InvalidProfileError(f"{place}: {str(exc).replace('`$', f'`{place}')}.") from exc
    return found


def retries_of(spec: AnyExec | None) -> int:
    """How often a run is tried again whose instance is gone."""
    return 0 if spec is None else spec.retries


def _check_words(command: list[str], listen: str | None) -> None:
    if any("\0" in word for word in command):
        raise ValueError("command: a word holds a NUL")
    asked = {name for name in ("uds", "fd", "host", "port") for word in command if f"{{{name}}}" in word}
    if "uds" in asked and (len(asked) > 1 or listen not in {None, "uds"}):
        raise ValueError("command: {uds} goes with listen uds, and with no other place to listen at")
