"""What a profile shows of itself, and what of that it does not take back. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType, structs

from arp_daemon import exec_spec, jarvis_exec
from arp_daemon.errors import InvalidProfileError
from arp_daemon.redaction import HIDDEN, hide_credentials

if TYPE_CHECKING:
    from arp_model import RuntimeProfile

ENVIRONMENT, RESTART = "arp.environment", "arp.restart"

# Where a profile may hold credentials: the places that packages come from.
_PLACES = ("index_url", "extra_index_urls", "find_links", "requirements", "pip_spec")
_HIDDEN = re.compile(rf"://{re.escape(HIDDEN)}@|\?{re.escape(HIDDEN)}")


def shown(profile: RuntimeProfile, environment: dict[str, str] | None) -> RuntimeProfile:
    """The profile as answers have it: without credentials, and with the state of its environment."""
    if profile.extensions is UNSET:
        return profile
    extensions = {key: _hide(value) if _says_how(key) else value for key, value in profile.extensions.items()}
    if environment is not None:
        extensions[ENVIRONMENT] = environment
    return structs.replace(profile, extensions=extensions)


def taken(extensions: dict[str, Any] | UnsetType) -> dict[str, Any] | UnsetType:
    """The extensions of an upsert as they are kept: what an answer adds is left out, so that it may be put back.

    Raises:
        InvalidProfileError: credentials are hidden in it, as an answer shows them.
    """
    if extensions is UNSET:
        return UNSET
    for key, value in extensions.items():
        if _says_how(key) and isinstance(value, dict):
            for place in _PLACES:
                if _HIDDEN.search(str(value.get(place))):
                    raise InvalidProfileError(
                        f'$.extensions["{key}"].{place}: {HIDDEN} is what answers show in place of credentials; '
                        "give the credentials again."
                    )
    return {key: value for key, value in extensions.items() if key not in {ENVIRONMENT, RESTART}}


def _says_how(key: str) -> bool:
    return key in {exec_spec.EXTENSION, jarvis_exec.EXTENSION}


def _hide(details: Any) -> Any:
    if not isinstance(details, dict):
        return details
    return {key: _hide_all(value) if key in _PLACES else value for key, value in details.items()}


def _hide_all(value: Any) -> Any:
    if isinstance(value, list):
        return [_hide_all(item) for item in value]
    return hide_credentials(value) if isinstance(value, str) else value
