"""From a profile and a client's overrides to what the launcher is told. Pure."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from arp_daemon.errors import ProfileNotLaunchableError
from arp_daemon.exec_spec import AnyExec, CommandExec, RuntimeExec, find_exec
from arp_daemon.launcher.protocol import LaunchSpec
from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# A client who sets one of these runs code of its own choice as the instance's user.
_LOADER = re.compile(r"(LD_|DYLD_|PYTHON|NODE_OPTIONS|BASH_ENV|ENV\Z|PATH\Z|IFS\Z|PERL5|RUBY|GCONV_PATH|ARP_LAUNCHER_)")
NONCE_VARIABLE = "ARP_INSTANCE_NONCE"
_REGISTRY_VARIABLE = "ARP_TOOL_REGISTRY_URL"


@dataclass(frozen=True)
class LaunchPlan:
    """How one instance of a profile is launched and treated."""

    exec: AnyExec
    spec: LaunchSpec


def plan_launch(
    profile: RuntimeProfile,
    overrides: InstanceCreateRequestOverrides | UnsetType,
    *,
    instance_id: str,
    nonce: str,
    environment: Mapping[str, str],
) -> LaunchPlan:
    """Return the plan; the profile's defaults first, then the overrides: env is merged, args are added.

    Raises:
        ProfileNotLaunchableError: the profile does not say how to launch.
        InvalidRequestError: an override sets what no client may set.
    """
    details = find_exec(profile.extensions)
    if details is None:
        raise ProfileNotLaunchableError(profile.runtime_profile)
    parts = [part for part in (profile.defaults, overrides) if part is not UNSET]
    env = {name: environment[name] for name in _INHERITED if name in environment}
    args: list[str] = []
    for part in parts:
        if part.env is not UNSET:
            env.update(part.env)
        if part.args is not UNSET:
            args.extend(part.args)
        if part.tool_registry_url is not UNSET:
            env[_REGISTRY_VARIABLE] = part.tool_registry_url
    env[NONCE_VARIABLE] = nonce
    return LaunchPlan(details, _launch_spec(details, instance_id, env, args))


def check_overrides(overrides: InstanceCreateRequestOverrides | UnsetType) -> None:
    """Refuse names and values of environment variables that would break out of the profile.

    Raises:
        InvalidRequestError: naming the variable.
    """
    if overrides is UNSET or overrides.env is UNSET:
        return
    for name, value in overrides.env.items():
        if not _ENV_NAME.match(name) or "\0" in value:
            raise InvalidRequestError(f"$.overrides.env: {name[:60]!r} is not a usable environment variable.")
        if _LOADER.match(name):
            raise InvalidRequestError(
                f"$.overrides.env: {name!r} decides what code runs; set it in the profile's defaults instead."
            )


def _launch_spec(details: AnyExec, instance_id: str, env: dict[str, str], args: list[str]) -> LaunchSpec:
    if isinstance(details, CommandExec):
        return LaunchSpec(
            instance_id=instance_id,
            argv=[*details.command, *args],
            env=env,
            cwd=details.working_directory,
            listen=details.listen,
            stop_grace_s=details.stop_grace_s,
        )
    return LaunchSpec(
        instance_id=instance_id,
        argv=[*_runtime_program(details), "serve", "--host", "fd://{fd}", "--agent", details.agent, *args],
        env=env,
        template=details.template,
        listen="fd",
        stop_grace_s=details.stop_grace_s,
    )


def _runtime_program(details: RuntimeExec) -> list[str]:
    """A fork of a template is told its words only; an exec also needs the program."""
    return ["arp-runtime"] if details.template is not None else [sys.executable, "-m", "arp_runtime"]
