"""What the SDK costs a client, beside the published one and bare httpx."""

from __future__ import annotations

import json
import os
import sys
from statistics import median
from subprocess import PIPE
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from benchmarks.programs import HERE, our_daemon
from support.published import installed

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_TIMEOUT_S = 120
_WARM_UP = 5
_PROGRAM = str(HERE / "sdk_program.py")
_CLIENT = "from arp_sdk.daemon import DaemonClient"
# Run in a fresh process: the CPU time of an import in ms, and the resident set size after it in MB.
_IMPORT = """
import time
began = time.process_time()
{statement}
took = (time.process_time() - began) * 1000
pages = int(open("/proc/self/statm").read().split()[1])
print('{{"took": %f, "resident": %f}}' % (took, pages * {page_size} / 1e6))
"""


async def measure(bench: Bench) -> None:
    """The same programs in this environment and in one with the published SDK, in turns."""
    effort = bench.effort
    published = str(await anyio.to_thread.run_sync(installed, "sdk", "arp-standard-py==0.1.0") / "python")
    ways = {
        "published": (published, "asking"),
        "asking": (sys.executable, "asking"),
        "ours": (sys.executable, "handle"),
    }
    imports = {
        "httpx": (sys.executable, "import httpx"),
        "ours": (sys.executable, _CLIENT),
        "published": (published, _CLIENT),
    }
    async with our_daemon(bench.folder / "data") as running:
        for python, way in ways.values():
            await _run(python, _PROGRAM, running.url, str(_WARM_UP), way)
        for _ in range(effort.repetitions):
            for series, (python, way) in ways.items():
                done = await _run(python, _PROGRAM, running.url, str(effort.sdk_runs), way)
                bench.record("sdk", series, done["cpu_ms"])
    for python, statement in imports.values():
        await _import(python, statement)
    for _ in range(effort.repetitions):
        rounds = [{s: await _import(*what) for s, what in imports.items()} for _ in range(effort.imports)]
        for series in imports:
            bench.record("sdk-import", series, median(each[series]["took"] for each in rounds))
            bench.record("sdk-memory", series, median(each[series]["resident"] for each in rounds))


async def _import(python: str, statement: str) -> dict[str, float]:
    return await _run(python, "-c", _IMPORT.format(statement=statement, page_size=os.sysconf("SC_PAGE_SIZE")))


async def _run(python: str, *arguments: str) -> dict[str, Any]:
    with anyio.fail_after(_TIMEOUT_S):
        done = await anyio.run_process([python, *arguments], stdout=PIPE, stderr=None)
    said: dict[str, Any] = json.loads(done.stdout)
    return said
