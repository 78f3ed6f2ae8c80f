"""Time zones by the names that people use: `Europe/Berlin`, `berlin`, `new york`, `UTC`."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo


def find_time_zone(name: str) -> ZoneInfo | None:
    """Return the IANA time zone that `name` means: a full name, or its last part, in any case; else None."""
    key = _names().get("_".join(name.lower().split()))
    return None if key is None else ZoneInfo(key)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Each name in lower case -> the IANA name. A full name wins over another's last part."""
    keys = (files("tzdata") / "zones").read_text(encoding="utf-8").split()
    last_parts = {key.rpartition("/")[2].lower(): key for key in reversed(keys)}
    return last_parts | {key.lower(): key for key in keys}


# Read once, at import: a process that is forked from a warm one shares it.
_names()
