"""How soon instances are ready, one and many at once, and what memory an idle one has."""

from __future__ import annotations

import json
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.load.connection import Connection, connect, request
from benchmarks.loading import LoadError
from benchmarks.processes import listening_on, resident_mb, unique_mb
from benchmarks.programs import daemon_program, our_daemon, peer_daemon

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_MS = 1000


async def measure(bench: Bench) -> None:
    """Our daemon forks from a template that is warm after the first one; the peer starts a program."""
    effort = bench.effort
    async with (
        our_daemon(bench.folder / "data", min=0, max=effort.starts_at_once) as running,
        peer_daemon(bench.folder) as peer,
    ):
        ours, theirs = await connect(daemon_program(running).port), await connect(peer.port)
        await _start(ours, "default", 1)
        await _start(theirs, "jarvis", 1)
        for _ in range(effort.repetitions):
            ones = [await _start(ours, "default", 1) for _ in range(effort.starts)]
            one = median(took for took, _ in ones)
            bench.record("instance-start", "ours", one)
            peers = [await _start(theirs, "jarvis", 1) for _ in range(effort.peer_starts)]
            bench.record("instance-start", "peer", median(took for took, _ in peers))
            bench.record("instance-memory", "peer", median(unique for _, (unique, _) in peers))
            many, (unique, resident) = await _start(ours, "default", effort.starts_at_once)
            bench.record("instance-starts", "one", one)
            bench.record("instance-starts", "at_once", many * bench.results.machine.cores / effort.starts_at_once)
            bench.record("instance-memory", "ours", unique)
            bench.record("instance-memory", "rss", resident)


async def _start(daemon: Connection, profile: str, count: int) -> tuple[float, tuple[float, float]]:
    """Create instances, and delete them; milliseconds until all are ready, and the unique and resident MB of one."""
    body = json.dumps({"runtime_profile": profile, "count": count}).encode()
    began = perf_counter()
    answer = await daemon.ask(request("POST", "/v1/instances", body))
    took = (perf_counter() - began) * _MS
    if answer.status != 200:
        raise LoadError(f"no instance: {answer}")
    instances: list[dict[str, Any]] = json.loads(answer.body)["instances"]
    processes = [listening_on(int(i["runtime_api_endpoint"].rpartition(":")[2])) for i in instances]
    memory = median(map(unique_mb, processes)), median(map(resident_mb, processes))
    for instance in instances:
        await daemon.ask(request("DELETE", f"/v1/instances/{instance['instance_id']}"))
    return took, memory
