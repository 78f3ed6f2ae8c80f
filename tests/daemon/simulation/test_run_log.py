"""What a watcher reads of a run, and from where."""

from __future__ import annotations

import anyio
from anyio.lowlevel import checkpoint

from arp_daemon.failures import instance_lost
from arp_daemon.open_runs import OpenRuns
from arp_daemon.run_log import RunLog
from arp_daemon.run_queue import RunQueue
from arp_daemon.runs import RunManager
from arp_daemon.selector import Selector
from arp_daemon.store import NewRun
from arp_service.info import utc_now
from arp_service.stopping import Stop
from daemon.simulation.memory_store import Disk, MemoryStore


async def test_who_watches_an_open_run_is_shown_its_end_without_asking_the_store() -> None:
    """The store is not there any more when the end is read; it comes with the last event."""
    there = anyio.Event()
    there.set()

    async def gate() -> None:
        await there.wait()
        await checkpoint()

    store = MemoryStore(Disk(), gate)
    open_runs = OpenRuns(store, RunQueue(), Stop())
    runs = RunManager(store, open_runs)
    [record] = await store.insert_runs([NewRun("r1", b'{"input":{"goal":"x"}}', utc_now())])
    assert record is not None
    run = open_runs.add(record, Selector())
    log = RunLog(runs, store, run.run_id, run.position)
    assert await log.read(0) == (b"", 0, False)
    await open_runs.fail(run, instance_lost())
    there = anyio.Event()
    with anyio.fail_after(10):
        await log.wait(0)
        frames = await log.read(0)
    assert (frames.position, frames.ended) == (1, True)
    assert b"instance_lost" in frames.body
