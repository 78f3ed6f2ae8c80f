"""The points at which a job waits until it is told to go on."""

from __future__ import annotations

import asyncio
import json
import sys
import time

_cpu_at: dict[str, float] = {}


async def stage(name: str) -> None:
    """Say that `ready` or `measured` is reached, and go on with the next line on stdin."""
    _cpu_at[f"{name} reached"] = time.process_time()
    print(json.dumps({"stage": name}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    _cpu_at[f"{name} left"] = time.process_time()


def measured_cpu_s() -> float:
    """The CPU time that this process had between the two stages."""
    return _cpu_at["measured reached"] - _cpu_at["ready left"]
