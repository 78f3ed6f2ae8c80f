"""Bits that flip on the disk: what is served is what was stored, or an error; never anything else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import httpx

from faults.repetitions import times

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from faults.scene import Scene

RUNS = 20
MOST_FLIPS = 10
# SQLite's own header is checked by SQLite.
HEADER_BYTES = 100
MARK = "store.state"


class Shown(NamedTuple):
    """What the daemon says of one run."""

    status: bytes
    result: bytes
    log: bytes


async def test_bits_that_flip_on_the_disk_are_reported_and_never_served(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Anywhere in the file, some at a time: each answer is what it was before, or an error; a stream is cut short."""
    await scene.put_agent("counting")
    run_ids = [await scene.daemon.submit("5") for _ in range(RUNS)]
    for run_id in run_ids:
        await scene.daemon.end(run_id)
    before = {run_id: await _show(scene, run_id) for run_id in run_ids}
    await scene.daemon.stop()
    store = scene.daemon.data_dir / "daemon.sqlite3"
    whole, mark = store.read_bytes(), (store.parent / MARK).read_bytes()
    rounds, told = times(200, 1), Counter(dict[str, int]())
    for _ in range(rounds):
        _put_back(store, _flipped(scene, whole), mark)
        await scene.daemon.spawn()
        if not await _listens(scene):
            told["starts refused"] += 1
            continue
        for run_id in run_ids:
            told += _compare(before[run_id], await _show(scene, run_id))
        await scene.daemon.kill()
    _put_back(store, whole, mark)
    await scene.daemon.start()
    told_words = ", ".join(f"{count} {what}" for what, count in told.most_common())
    tell("flipped bits", f"{rounds} times up to {MOST_FLIPS} in the store of {RUNS} runs: {told_words}")
    assert told["answers that differ"] == 0


async def test_a_store_that_is_cut_off_or_gone_is_refused_and_never_begun_anew(
    scene: Scene, tell: Callable[[str, object], None]
) -> None:
    """Cut at random places, emptied, or taken away: exit 1, one line with the cure, and nothing is changed."""
    await scene.put_agent("noted")
    run_id = await scene.daemon.submit("x-1")
    await scene.daemon.end(run_id)
    await scene.daemon.stop()
    store = scene.daemon.data_dir / "daemon.sqlite3"
    whole, mark = store.read_bytes(), (store.parent / MARK).read_bytes()
    sizes = [0, *(scene.rng.randrange(1, len(whole)) for _ in range(times(40, 1)))]
    for size in sizes:
        _put_back(store, whole[:size], mark)
        await scene.daemon.spawn()
        assert not await _listens(scene), f"started with {size} of {len(whole)} bytes"
        assert "arp-daemon repair" in scene.daemon.words()
        assert store.read_bytes() == whole[:size]
    store.unlink()
    await scene.daemon.spawn()
    assert not await _listens(scene)
    assert not store.exists()
    _put_back(store, whole, mark)
    await scene.daemon.start()
    assert (await scene.daemon.get(f"/v1/runs/{run_id}"))["state"] == "succeeded"
    tell("truncated store", f"{len(sizes)} times cut, once gone: each start refused with the cure, nothing changed")


def _flipped(scene: Scene, whole: bytes) -> bytes:
    damaged = bytearray(whole)
    for _ in range(scene.rng.randint(1, MOST_FLIPS)):
        damaged[scene.rng.randrange(HEADER_BYTES, len(damaged))] ^= 1 << scene.rng.randrange(8)
    return bytes(damaged)


def _put_back(store: Path, content: bytes, mark: bytes) -> None:
    """A store that was closed in order, with this content."""
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    store.write_bytes(content)
    (store.parent / MARK).write_bytes(mark)


async def _listens(scene: Scene) -> bool:
    """Whether the daemon starts; one that refuses says why in one line, and exits by itself."""
    try:
        await scene.daemon.until_listening()
    except RuntimeError:
        said = scene.daemon.words()
        assert await scene.daemon.process.wait() == 1, said
        assert said.startswith("arp-daemon: "), said
        assert len(said.splitlines()) == 1, said
        return False
    return True


async def _show(scene: Scene, run_id: str) -> Shown:
    """Ask for all; what is no answer is empty, and of a log that is cut there is what came."""
    parts = []
    for path in (f"/v1/runs/{run_id}", f"/v1/runs/{run_id}/result"):
        answer = await scene.daemon.client.get(path)
        parts.append(answer.content if answer.is_success else b"")
    log = b""
    try:
        async with scene.daemon.client.stream("GET", f"/v1/runs/{run_id}/events") as response:
            async for chunk in response.aiter_raw():
                log += chunk if response.is_success else b""
    except httpx.RemoteProtocolError:
        log += b"(cut)"
    status, result = parts
    return Shown(status, result, log)


def _compare(before: Shown, after: Shown) -> Counter[str]:
    """Count, by part, what became of an answer."""
    told = Counter(dict[str, int]())
    for part, old, new in zip(Shown._fields, before, after, strict=True):
        if new == old:
            told["answers as before"] += 1
        elif new == b"" or (part == "log" and new.endswith(b"(cut)") and old.startswith(new.removesuffix(b"(cut)"))):
            told["errors"] += 1
        else:
            told["answers that differ"] += 1
            print(part, old, new, sep="\n  ")
    return told
