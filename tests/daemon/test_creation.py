"""Instances are created all or none, whatever comes between, and only what the daemon launched is one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import httpx
import psutil

from support.waiting import until, until_answer

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

_GATED = Path(__file__).parent.parent / "support" / "bestiary" / "gated_runtime.py"


async def _put_gated(daemon: RunningDaemon, folder: Path, **parts: Any) -> None:
    await anyio.Path(folder).mkdir()
    command = [sys.executable, str(_GATED), str(folder), "{host}", "{port}"]
    await daemon.put_profile("gated", driver="command", command=command, **parts)


async def _until_healthy(daemon: RunningDaemon, count: int) -> None:
    """Wait until so many of the listed instances answer, whatever the daemon makes of them."""

    async def healthy() -> int:
        found = 0
        for instance in await daemon.instances():
            try:
                answer = await daemon.client.get(instance["runtime_api_endpoint"] + "/v1/health")
            except httpx.HTTPError:
                continue
            found += answer.is_success
        return found

    await until_answer(healthy, lambda found: found == count)


async def test_one_of_five_that_fails_stops_the_rest_and_takes_no_run_along(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    """The error has its last words; no process is left; none of the four that were healthy was given the run."""
    folder = tmp_path / "gate"
    await _put_gated(daemon, folder, max=5)
    (folder / "one-fails").touch()
    run_ids: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def create() -> None:
            body = {"runtime_profile": "gated", "count": 5}
            response = await daemon.client.post("/v1/instances", json=body)
            assert (response.status_code, response.json()["error"]["code"]) == (422, "instance_start_failed")
            assert "no licence left" in response.json()["error"]["details"]["stderr_tail"]

        tasks.start_soon(create)
        await _until_healthy(daemon, 4)
        started = await daemon.instances()
        assert [i["state"] for i in started] == ["starting"] * 5
        run_ids.append(await daemon.submit("hello", runtime_selector={"runtime_profile": "gated"}))
        (folder / "go").touch()
    result = await daemon.result(run_ids[0])
    assert result["output"] == {"echo": "hello"}
    left = {i["instance_id"] for i in await daemon.instances()}
    assert not left & {i["instance_id"] for i in started}
    assert not any(psutil.pid_exists(i["extensions"]["arp.pid"]) for i in started)


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_half_made(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    """All three that it asked for, each with its process."""
    folder = tmp_path / "gate"
    await _put_gated(daemon, folder, max=3)
    async with anyio.create_task_group() as tasks:

        async def create() -> None:
            async with httpx.AsyncClient(base_url=daemon.url, trust_env=False) as client:
                await client.post("/v1/instances", json={"runtime_profile": "gated", "count": 3})

        tasks.start_soon(create)
        await until_answer(daemon.instances, lambda found: [i["state"] for i in found] == ["starting"] * 3)
        tasks.cancel_scope.cancel()
    (folder / "go").touch()
    ready = await until_answer(daemon.instances, lambda found: "starting" not in [i["state"] for i in found])
    assert [i["state"] for i in ready] == ["ready"] * 3
    assert all(psutil.pid_exists(i["extensions"]["arp.pid"]) for i in ready)


async def test_what_was_only_starting_when_its_daemon_was_killed_is_not_taken_for_an_instance(
    daemon: RunningDaemon, tmp_path: Path
) -> None:
    """Not even those of them that were healthy: nobody was told of them, and the rest may never be."""
    folder = tmp_path / "gate"
    await _put_gated(daemon, folder, max=2)
    (folder / "one-fails").touch()
    async with anyio.create_task_group() as tasks:

        async def create() -> None:
            try:
                await daemon.client.post("/v1/instances", json={"runtime_profile": "gated", "count": 2})
            except httpx.HTTPError:  # it dies under our hands
                return

        tasks.start_soon(create)
        await _until_healthy(daemon, 1)
        started = await daemon.instances()
        await daemon.kill()
    await daemon.start()
    assert await daemon.instances() == []
    await until(lambda: not any(psutil.pid_exists(i["extensions"]["arp.pid"]) for i in started))
