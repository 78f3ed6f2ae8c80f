"""The tool `clock`: what time it is somewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from arp_runtime.builtin_tools.time_zones import find_time_zone
from arp_runtime.errors import ToolError
from arp_runtime.tools import FunctionTool


class ClockArgs(msgspec.Struct, forbid_unknown_fields=True):
    """What the clock takes: an IANA time zone, or the last part of its name."""

    time_zone: str = "UTC"


async def tell_time(args: ClockArgs) -> dict[str, Any]:
    """The present time in a time zone."""
    zone = find_time_zone(args.time_zone)
    if zone is None:
        raise ToolError(f"clock: {args.time_zone[:100]!r} is not a time zone.")
    now = datetime.now(zone)
    return {
        "time_zone": zone.key,
        "time": now.isoformat(timespec="seconds"),
        "text": f"{now:%H:%M:%S} on {now:%A, %d %B %Y}",
    }


CLOCK = FunctionTool(
    tool_id="clock",
    description="Tells the present time in a time zone, such as UTC, Europe/Berlin or Tokyo.",
    arguments=ClockArgs,
    function=tell_time,
)
