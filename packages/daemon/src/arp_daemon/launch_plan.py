"""From a profile and a client's overrides to what the launcher is told. Pure."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from arp_daemon import jarvis_exec
from arp_daemon.errors import ProfileNotLaunchableError
from arp_daemon.exec_spec import AnyExec, CommandExec, PythonExec, ResourceLimits, RuntimeExec, find_exec
from arp_daemon.launcher.protocol import LaunchSpec, Limits, Listen
from arp_daemon.overrides import REGISTRY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from arp_model import InstanceCreateRequestOverrides, RuntimeProfile

# What an instance sees of the daemon's environment: where programs, homes and locales are, and nothing else.
_INHERITED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "TZ",
    "USER",
    "SSL_CERT_FILE",
)
# What belongs to the user that an instance runs as: the launcher sets it where that is not the daemon's.
_OF_THE_USER = frozenset({"HOME", "LOGNAME", "USER"})
NONCE_VARIABLE = "ARP_INSTANCE_NONCE"
BYTES_PER_MIB = 1024 * 1024


@dataclass(frozen=True)
class Surroundings:
    """What a launch takes from outside its profile.

    `environment` is the daemon's own, `secrets` are the values of `env_from`, and `venv` is the folder of the
    profile's Python environment, where it has one. `uid` is the user who will call the instance: the daemon's.
    """

    environment: Mapping[str, str]
    data_dir: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    venv: Path | None = None
    uid: int = field(default_factory=os.geteuid)


@dataclass(frozen=True)
class LaunchPlan:
    """How one instance of a profile is launched and treated."""

    exec: AnyExec
    spec: LaunchSpec


def plan_launch(
    profile: RuntimeProfile,
    overrides: InstanceCreateRequestOverrides | UnsetType,
    surroundings: Surroundings,
    *,
    instance_id: str,
    nonce: str,
) -> LaunchPlan:
    """Return the plan; the profile's defaults first, then the overrides: env is merged, args are added.

    The overrides have been checked (`arp_daemon.overrides`).

    Raises:
        ProfileNotLaunchableError: the profile does not say how to launch.
    """
    details = find_exec(profile.extensions)
    if details is None:
        raise ProfileNotLaunchableError(profile.runtime_profile)
    env = _environment(profile, details, overrides, surroundings)
    env[NONCE_VARIABLE] = nonce
    args = [word for part in (profile.defaults, overrides) if part is not UNSET for word in part.args or ()]
    how = _how_to_start(details, surroundings)
    how.argv.extend(args)
    spec = LaunchSpec(
        instance_id=instance_id,
        argv=how.argv,
        env=env,
        cwd=details.working_directory,
        template=how.template,
        listen=how.listen or _listen(how.argv),
        user=details.user,
        limits=_limits(details.limits),
        # A client may set the same variable: what it gave is hidden as well, and no harm done.
        secrets=sorted(surroundings.secrets),
        stop_grace_s=details.stop_grace_s,
    )
    return LaunchPlan(details, spec)


def _environment(
    profile: RuntimeProfile,
    details: AnyExec,
    overrides: InstanceCreateRequestOverrides | UnsetType,
    surroundings: Surroundings,
) -> dict[str, str]:
    """What comes later wins."""
    outer = surroundings.environment
    foreign = _OF_THE_USER if details.user is not None else frozenset()
    env = {name: outer[name] for name in _INHERITED if name in outer and name not in foreign}
    if surroundings.venv is not None:
        programs = [str(surroundings.venv / "bin"), *filter(None, [env.get("PATH")])]
        env |= {"PATH": os.pathsep.join(programs), "VIRTUAL_ENV": str(surroundings.venv)}
    if not isinstance(details, CommandExec):
        # What an agent prints is in its logs when it has printed it, not when a buffer is full.
        env["PYTHONUNBUFFERED"] = "1"
    env |= details.env
    if profile.defaults is not UNSET:
        env |= _variables(profile.defaults.env, profile.defaults.tool_registry_url)
    env |= surroundings.secrets
    if overrides is not UNSET:
        env |= _variables(overrides.env, overrides.tool_registry_url)
    return jarvis_exec.variables(env, surroundings.data_dir) if jarvis_exec.is_in_force(profile.extensions) else env


def _limits(limits: ResourceLimits) -> Limits:
    memory = None if limits.memory_mib is None else limits.memory_mib * BYTES_PER_MIB
    return Limits(
        memory_bytes=memory,
        processes=limits.processes,
        open_files=limits.open_files,
        cpu_weight=limits.cpu_weight,
    )


def _variables(env: dict[str, str] | UnsetType, tool_registry_url: str | UnsetType) -> dict[str, str]:
    registry = {} if tool_registry_url is UNSET else {REGISTRY_VARIABLE: tool_registry_url}
    return registry if env is UNSET else {**env, **registry}


@dataclass(frozen=True)
class _HowToStart:
    argv: list[str]
    listen: Listen | None = "fd"
    template: str | None = None


def _how_to_start(details: AnyExec, surroundings: Surroundings) -> _HowToStart:
    venv = surroundings.venv
    # Our runtime lets in its own user, which the daemon's is not then.
    serve = ["serve", "--host", "fd://{fd}"]
    serve += [] if details.user is None else ["--admit-uid", str(surroundings.uid)]
    match details:
        case CommandExec(command=command, listen=listen):
            return _HowToStart([*command], listen)
        case RuntimeExec(agent=agent, template=template):
            # A fork of a template is told its words only; an exec also needs the program.
            program = ["arp-runtime"] if template is not None else [sys.executable, "-m", "arp_runtime"]
            return _HowToStart([*program, *serve, "--agent", agent], template=template)
        case PythonExec(agent=agent, command=command, listen=listen):
            if venv is None:
                raise ValueError("the environment of a python profile is built before it is launched")
            programs = {"{python}": str(venv / "bin" / "python"), "{bin}": str(venv / "bin")}
            if agent is not None:
                argv = [programs["{python}"], "-m", "arp_runtime", *serve, "--agent", agent]
                return _HowToStart(argv)
            return _HowToStart([_replace(word, programs) for word in command or ()], listen)


def _listen(argv: list[str]) -> Listen:
    """Where a program listens that does not say: its words ask for a path, a descriptor, or a port."""
    for listen in ("uds", "fd"):
        if any(f"{{{listen}}}" in word for word in argv):
            return listen
    return "port"


def _replace(word: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word
