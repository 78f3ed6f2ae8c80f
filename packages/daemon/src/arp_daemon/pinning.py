"""What an environment may be made from: requirements that name one version, and where they are looked for. Pure.

All of it is written into one requirements file, so nothing may look like an option or hold a line break.
"""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement

from arp_daemon.redaction import hide_credentials

# `file:///x.whl`, `https://host/x.whl`, `git+https://host/x@rev`, `/folder/x`: a place is what it is.
_PLACE = re.compile(r"([a-z][a-z0-9+.-]*:/)?/\S+\Z", re.IGNORECASE)
_INDEX_URL = re.compile(r"(https?|file)://[^\s,]+\Z", re.IGNORECASE)
_FOLDER = re.compile(r"/[^\s,]*\Z")
_LINE_BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_SHOWN_CHARACTERS = 80


def check_pinned(requirement: str) -> None:
    """Refuse a requirement that does not name one version or one place.

    Raises:
        ValueError: saying what to write instead; without credentials that the requirement may hold.
    """
    if not _PLACE.match(requirement):
        _check_named(requirement)


def check_index(place: str, *, path_too: bool = False) -> None:
    """Refuse a place to look for packages that is no URL, or with `path_too` no absolute path either.

    Raises:
        ValueError: saying what to write; without credentials that the place may hold.
    """
    if _INDEX_URL.match(place) or (path_too and _FOLDER.match(place)):
        return
    wanted = "an http, https or file URL" + (", or an absolute path" if path_too else "")
    raise ValueError(f"{shown(place)!r} is not {wanted} without blanks and commas")


def shown(text: str) -> str:
    """A piece of a profile as errors may show it: without credentials, and not at length."""
    return hide_credentials(text)[:_SHOWN_CHARACTERS]


def _check_named(requirement: str) -> None:
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement as exc:
        raise ValueError(f"requirement {shown(requirement)!r} is none that PEP 508 knows") from exc
    pins = [pin for pin in parsed.specifier if pin.operator in {"==", "==="} and not pin.version.endswith(".*")]
    if _LINE_BREAK.search(requirement) or (parsed.url is None and not pins):
        raise ValueError(f"requirement {shown(requirement)!r} is not pinned: write name==version or name @ URL")
