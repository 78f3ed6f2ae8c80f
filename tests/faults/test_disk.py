"""A disk that fills up and is freed again, and one that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from faults.disks import fill, may_mount, set_read_only, small_disk
from faults.load import Load
from faults.outcome import outcome_of
from faults.repetitions import times
from faults.scene import Scene, opened
from support.waiting import until_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not may_mount(), reason="no disk may be mounted here")

MEBIBYTES = 32
HALF = 0.5


async def test_a_full_disk_refuses_runs_and_once_freed_everything_goes_on(
    tmp_path: Path, tell: Callable[[str, object], None]
) -> None:
    """503 while it is full, and health says why; what was accepted ends well, also when the daemon is killed then."""
    rounds, refused = times(20, 1), 0
    with small_disk(tmp_path / "data", MEBIBYTES):
        async with opened(tmp_path, "full disk") as scene:
            await scene.put_agent(max=2)
            await scene.put_agent("logging", profile="loud", max=1)
            load = Load(scene.daemon)
            launcher = await scene.daemon.launcher()
            for number in range(rounds):
                async with load.running():
                    await until_answer(
                        scene.daemon.instances, lambda found: any(i["extensions"]["arp.runs"] for i in found)
                    )
                loud = await scene.daemon.submit("200", runtime_selector={"runtime_profile": "loud"})
                await scene.daemon.until_event(loud, "step")
                filler = fill(scene.daemon.data_dir)
                refused += await _submit_until_refused(scene, number)
                await until_answer(lambda: _store_status(scene), lambda status: status == "down")
                if scene.rng.random() < HALF:
                    await scene.daemon.kill()
                    filler.unlink()
                    await scene.daemon.start()
                filler.unlink(missing_ok=True)
                await until_answer(lambda: _store_status(scene), lambda status: status == "ok")
                assert (await scene.daemon.result(loud))["ok"] is True
            assert (await scene.daemon.launcher()).pid == launcher.pid
            outcome = await outcome_of(scene, load)
    assert outcome.odd == []
    assert outcome.ended == {"succeeded": len(load.accepted)}
    tell("full disk", f"{rounds} times full and freed, {refused} refused meanwhile; {outcome}")


async def test_a_daemon_whose_disk_is_read_only_says_so_and_starts_when_it_can_be_written_again(
    tmp_path: Path, tell: Callable[[str, object], None]
) -> None:
    """One line and exit 1; nothing is lost by the try."""
    with small_disk(tmp_path / "data", MEBIBYTES):
        async with opened(tmp_path, "read-only disk") as scene:
            await scene.put_agent("noted")
            run_id = await scene.daemon.submit("x-1")
            await scene.daemon.end(run_id)
            await scene.daemon.stop()
            set_read_only(scene.daemon.data_dir, read_only=True)
            await scene.daemon.spawn()
            with anyio.fail_after(30):
                code = await scene.daemon.process.wait()
            said = scene.daemon.words()
            set_read_only(scene.daemon.data_dir, read_only=False)
            await scene.daemon.start()
            assert (await scene.daemon.get(f"/v1/runs/{run_id}"))["state"] == "succeeded"
    assert code == 1
    assert len(said.splitlines()) == 1
    assert str(tmp_path / "data") in said
    tell("read-only disk", "exit 1, one line that names the place; started again afterwards")


async def _submit_until_refused(scene: Scene, number: int) -> int:
    """Submit while the disk is full; what finds room is as good as any other run."""
    for attempt in range(1000):
        body = {"run_id": f"full-{number}-{attempt}", "input": {"goal": "full-1", "data": {"x": "x" * 1000}}}
        answer = await scene.daemon.client.post("/v1/runs", json=body)
        if answer.status_code != 202:
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
            assert answer.json()["error"]["retryable"] is True
            return 1
    raise AssertionError("the disk never filled up")


async def _store_status(scene: Scene) -> str:
    health = await scene.daemon.get("/v1/health")
    return str(next(check["status"] for check in health["checks"] if check["name"] == "store"))
