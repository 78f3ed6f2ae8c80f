"""Replacing the instances of a profile: none of their runs is lost, and there is always one to take a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import psutil

from support.waiting import until_answer

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

_PROFILES = "/v1/admin/runtime-profiles"
_OURS = {"driver": "runtime", "template": "arp_runtime.cli:main"}


async def _create(daemon: RunningDaemon, count: int = 1, **body: Any) -> list[str]:
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "default", "count": count, **body})
    assert response.status_code == 200, response.text
    return [i["instance_id"] for i in response.json()["instances"]]


async def _restart(daemon: RunningDaemon, query: str = "") -> dict[str, Any]:
    response = await daemon.client.post(f"{_PROFILES}/default:restart{query}")
    assert response.status_code == 202, response.text
    return dict(response.json()["extensions"]["arp.restart"])


async def _progress(daemon: RunningDaemon) -> dict[str, Any]:
    (profile,) = (await daemon.get(_PROFILES))["profiles"]
    return dict(profile["extensions"]["arp.restart"])


async def _until_over(daemon: RunningDaemon) -> dict[str, Any]:
    return await until_answer(lambda: _progress(daemon), lambda restart: restart["state"] != "running")


async def test_all_instances_are_replaced_and_no_run_is_lost(daemon: RunningDaemon) -> None:
    """Each run ends where it began, at its first attempt; the new ones have what the old ones were created with."""
    await daemon.put_profile(driver="runtime", max=3, concurrency=1)  # a fork shows its template's environment
    before = await _create(daemon, 2, overrides={"env": {"TZ": "Asia/Tokyo"}}, metadata={"labels": {"a": "b"}})
    runs = [await daemon.submit("wait 1 seconds") for _ in range(2)]
    for run_id in runs:
        await daemon.until_event(run_id, "step")
    await daemon.put_profile(driver="runtime", max=3, concurrency=2)
    old = await daemon.instances()
    assert [i["extensions"].get("arp.outdated") for i in old] == [True, True]
    assert (await _restart(daemon))["state"] == "running"
    later = [await daemon.submit("What is 1+1?") for _ in range(3)]
    assert await _until_over(daemon) == {"state": "done", "replaced": 2, "remaining": 0}
    for run_id in runs + later:
        assert (await daemon.result(run_id))["ok"] is True
        assert [e["seq"] for e in await daemon.events(run_id) if e["type"] == "final"] != []
    after = await daemon.instances()
    assert len(after) == 2
    assert not {i["instance_id"] for i in after} & {*before}
    versions = [i["extensions"]["arp.profile_version"] for i in old]
    assert [i["extensions"]["arp.profile_version"] for i in after] == [version + 1 for version in versions]
    assert [i["metadata"] for i in after] == [{"labels": {"a": "b"}}] * 2
    zones = [psutil.Process(i["extensions"]["arp.pid"]).environ()["TZ"] for i in after]
    assert zones == ["Asia/Tokyo"] * 2


async def test_only_what_is_outdated_may_be_replaced_and_nothing_more_by_asking_again(daemon: RunningDaemon) -> None:
    """An instance of the present version stays, however often it is asked."""
    await daemon.put_profile(**_OURS, max=3)
    old = await _create(daemon)
    await daemon.put_profile(**_OURS, max=4)
    new = await _create(daemon)
    for replaced in (1, 0):
        await _restart(daemon, "?only_outdated=true")
        assert (await _until_over(daemon))["replaced"] == replaced
    left = [i["instance_id"] for i in await daemon.instances()]
    assert new[0] in left
    assert old[0] not in left
    assert len(left) == 2


async def test_without_room_the_new_one_comes_after_the_old_one(daemon: RunningDaemon) -> None:
    """With max 1: its run ends first, and a run that waits meanwhile is done by the new one."""
    await daemon.put_profile(**_OURS, max=1)
    (old,) = await _create(daemon)
    run_id = await daemon.submit("wait 1 seconds")
    await daemon.until_event(run_id, "step")
    await _restart(daemon)
    again = await _restart(daemon)
    assert (again["state"], again["remaining"]) == ("running", 1)
    waiting = await daemon.submit("What is 1+1?")
    assert [i["instance_id"] for i in await daemon.instances()] == [old]
    assert (await _until_over(daemon))["replaced"] == 1
    assert (await daemon.result(run_id))["ok"] is True
    assert (await daemon.result(waiting))["ok"] is True
    (new,) = await daemon.instances()
    assert new["instance_id"] != old


async def test_a_version_that_does_not_start_replaces_nothing(daemon: RunningDaemon) -> None:
    """The restart ends as failed, with the reason; what works goes on working."""
    await daemon.put_profile(**_OURS, max=3)
    before = await _create(daemon, 2)
    await daemon.put_profile(driver="command", command=[sys.executable, "-c", "import sys; sys.exit(3)"], max=3)
    await _restart(daemon, "?max_unavailable=2")
    restart = await _until_over(daemon)
    assert (restart["state"], restart["replaced"], restart["remaining"]) == ("failed", 0, 0)
    assert "exited with code 3" in restart["error"]
    assert [i["instance_id"] for i in await daemon.instances()] == before
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["ok"] is True


async def test_a_restart_goes_on_after_the_daemon_was_killed(daemon: RunningDaemon) -> None:
    """Killed while the first old one is drained: the next daemon replaces the rest, and no run is lost."""
    await daemon.put_profile(**_OURS, max=2, concurrency=1)
    before = await _create(daemon, 2)
    runs = [await daemon.submit("wait 3 seconds") for _ in range(2)]
    for run_id in runs:
        await daemon.until_event(run_id, "step")
    await _restart(daemon)
    await until_answer(daemon.instances, lambda found: "stopping" in [i["state"] for i in found])
    await daemon.kill()
    await daemon.start()
    gone = lambda found: not {i["instance_id"] for i in found} & {*before}  # noqa: E731 - said once
    await until_answer(daemon.instances, gone)
    assert (await _until_over(daemon))["state"] == "done"
    for run_id in runs:
        assert (await daemon.result(run_id))["ok"] is True


async def test_only_a_profile_that_launches_can_be_restarted(daemon: RunningDaemon) -> None:
    """404 for none, 422 for one that only labels, 400 for a number that is none; and it is not put with a profile."""
    await daemon.client.put(f"{_PROFILES}/label", json={"description": "x", "extensions": {"arp.restart": {"a": 1}}})
    assert (
        "extensions" not in (await daemon.get(_PROFILES))["profiles"][1]
        or "arp.restart" not in ((await daemon.get(_PROFILES))["profiles"][1]["extensions"])
    )
    for path, status in (
        ("none:restart", 404),
        ("label:restart", 422),
        ("default:restart?max_unavailable=0", 400),
        ("default:restart?only_outdated=maybe", 400),
        ("label:restart?grace_ms=-1", 400),
    ):
        assert (await daemon.client.post(f"{_PROFILES}/{path}")).status_code == status, path
