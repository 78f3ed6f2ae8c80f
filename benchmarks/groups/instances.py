"""How soon instances are ready, one and many at once, and what memory an idle one has."""

from __future__ import annotations

import json
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from benchmarks.load.connection import Connection, connect, request
from benchmarks.loading import LoadError
from benchmarks.processes import cpu_seconds, listening_on, resident_mb, unique_mb
from benchmarks.programs import daemon_program, our_daemon, peer_daemon

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.programs import Program

_TIMEOUT_S = 120
_MS = 1000


class _Started(NamedTuple):
    """Milliseconds until all were ready; of one in the middle, the CPU seconds that it took by then, and its memory."""

    took: float
    cpu_s: float
    unique: float
    resident: float


async def measure(bench: Bench) -> None:
    """Our daemon forks from a template that is warm after the first one; the peer starts a program."""
    effort = bench.effort
    async with (
        our_daemon(bench.folder / "data", min=0, max=effort.starts_at_once) as running,
        peer_daemon(bench.folder) as peer,
    ):
        ours, theirs = daemon_program(running), peer
        await _start(ours, "default", 1)
        await _start(theirs, "jarvis", 1)
        for _ in range(effort.repetitions):
            one = _middle([await _start(ours, "default", 1) for _ in range(effort.starts)])
            other = _middle([await _start(theirs, "jarvis", 1) for _ in range(effort.peer_starts)])
            many = await _start(ours, "default", effort.starts_at_once)
            share = many.took * bench.results.machine.cores / effort.starts_at_once
            for row, series, value in (
                ("instance-start", "ours", one.took),
                ("instance-start", "peer", other.took),
                ("instance-starts", "one", one.took),
                ("instance-starts", "at_once", share),
                ("instance-memory", "ours", many.unique),
                ("instance-memory", "rss", many.resident),
                ("instance-memory", "peer", other.unique),
            ):
                bench.record(row, series, value)
            bench.results.record_cpu("instance-start", "ours", "arp-runtime", one.cpu_s, 1)
            bench.results.record_cpu("instance-start", "peer", "arp-jarvis-runtime", other.cpu_s, 1)


async def _start(daemon: Program, profile: str, count: int) -> _Started:
    """Create instances, look at them and delete them."""
    with anyio.fail_after(_TIMEOUT_S):
        return await _start_over(await connect(daemon.port), profile, count)


async def _start_over(daemon: Connection, profile: str, count: int) -> _Started:
    body = json.dumps({"runtime_profile": profile, "count": count}).encode()
    began = perf_counter()
    answer = await daemon.ask(request("POST", "/v1/instances", body))
    took = (perf_counter() - began) * _MS
    if answer.status != 200:
        raise LoadError(f"no instance: {answer}")
    instances: list[dict[str, Any]] = json.loads(answer.body)["instances"]
    processes = [listening_on(int(i["runtime_api_endpoint"].rpartition(":")[2])) for i in instances]
    started = [
        _Started(took, cpu_seconds({"it": [process]})["it"], unique_mb(process), resident_mb(process))
        for process in processes
    ]
    for instance in instances:
        await daemon.ask(request("DELETE", f"/v1/instances/{instance['instance_id']}"))
    daemon.close()
    return _middle(started)


def _middle(started: list[_Started]) -> _Started:
    return _Started(*(median(values) for values in zip(*started, strict=True)))
