"""The tool `clock`: what time it is somewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from arp_runtime.errors import ToolError
from arp_runtime.tools.builtin.time_zones import find_time_zone
from arp_runtime.tools.functions import tool


@tool
async def clock(time_zone: str = "UTC") -> dict[str, Any]:
    """Tells the present time in a time zone, such as UTC, Europe/Berlin or Tokyo.

    Args:
        time_zone: An IANA time zone, or the last part of its name.
    """
    zone = find_time_zone(time_zone)
    if zone is None:
        raise ToolError(f"clock: {time_zone[:100]!r} is not a time zone.")
    now = datetime.now(zone)
    return {
        "time_zone": zone.key,
        "time": now.isoformat(timespec="seconds"),
        "text": f"{now:%H:%M:%S} on {now:%A, %d %B %Y}",
    }
