"""What a client may set when it creates an instance: what the profile allows, and never what would break out of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from arp_daemon.endpoint import is_url
from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from arp_daemon.exec_spec import AnyExec
    from arp_model import InstanceCreateRequestOverrides

REGISTRY_VARIABLE = "ARP_TOOL_REGISTRY_URL"

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# A client who sets one of these runs code of its own choice as the instance's user.
_LOADER = re.compile(r"(LD_|DYLD_|PYTHON|NODE_OPTIONS|BASH_ENV|ENV\Z|PATH\Z|IFS\Z|PERL5|RUBY|GCONV_PATH)")
# The launcher's and the daemon's own marks.
_OURS = re.compile(r"ARP_(LAUNCHER|INSTANCE)_")


def check_overrides(details: AnyExec, overrides: InstanceCreateRequestOverrides | UnsetType) -> None:
    """Refuse what the profile does not let clients set.

    `*` among the allowed names stands for every variable but those that decide what code runs and those that the
    profile takes by `env_from`: these have to be named.

    Raises:
        InvalidRequestError: naming the place.
    """
    if overrides is UNSET:
        return
    allowed = details.allow_overrides
    if overrides.args is not UNSET and overrides.args:
        if not allowed.args:
            raise InvalidRequestError("$.overrides.args: the profile does not let clients add arguments.")
        if any("\0" in word for word in overrides.args):
            raise InvalidRequestError("$.overrides.args: an argument holds a NUL.")
    if overrides.tool_registry_url is not UNSET and not allowed.tool_registry_url:
        raise InvalidRequestError("$.overrides.tool_registry_url: the profile does not let clients choose it.")
    if overrides.tool_registry_url is not UNSET and not is_url(overrides.tool_registry_url):
        raise InvalidRequestError("$.overrides.tool_registry_url: use a URL like http://127.0.0.1:8000.")
    if overrides.env is not UNSET:
        for name, value in overrides.env.items():
            _check_variable(details, name, value)


def _check_variable(details: AnyExec, name: str, value: str) -> None:
    if not _ENV_NAME.match(name):
        raise InvalidRequestError(f"$.overrides.env: {name[:60]!r} is not a usable environment variable.")
    if "\0" in value:
        raise InvalidRequestError(f"$.overrides.env: the value of {name[:60]!r} holds a NUL.")
    if _OURS.match(name):
        raise InvalidRequestError(f"$.overrides.env: {name!r} is the daemon's own to set.")
    allowed = details.allow_overrides
    if name in allowed.env:
        return
    if _LOADER.match(name):
        raise InvalidRequestError(
            f"$.overrides.env: {name!r} decides what code runs; set it in the profile, or name it in allow_overrides."
        )
    if (
        "*" not in allowed.env
        or name in details.env_from
        or (name == REGISTRY_VARIABLE and not allowed.tool_registry_url)
    ):
        raise InvalidRequestError(f"$.overrides.env: the profile does not let clients set {name!r}.")
