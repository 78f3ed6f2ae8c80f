"""The safe list over HTTP: versions, pages, force, and what of a profile is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from support.waiting import until_answer

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

_PROFILES = "/v1/admin/runtime-profiles"


async def _create(daemon: RunningDaemon, name: str) -> dict[str, Any]:
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": name})
    assert response.status_code == 200, response.text
    return dict(response.json()["instances"][0])


async def test_instances_show_the_version_of_the_profile_that_they_run(daemon: RunningDaemon) -> None:
    """Each upsert is a version of its own, also of many at once; what runs stays what it is."""
    await daemon.put_profile("p", driver="runtime", max=2)
    first = await _create(daemon, "p")
    async with anyio.create_task_group() as tasks:
        for seconds in (1, 2, 3):
            tasks.start_soon(
                lambda grace: daemon.put_profile("p", driver="runtime", max=2, stop_grace_s=grace), seconds
            )
    second = await _create(daemon, "p")
    versions = [instance["extensions"]["arp.profile_version"] for instance in (first, second)]
    assert versions == [1, 4]
    shown = {i["instance_id"]: i["extensions"]["arp.profile_version"] for i in await daemon.instances()}
    assert shown[first["instance_id"]] == 1


async def test_force_deletes_a_profile_and_drains_its_instances(daemon: RunningDaemon) -> None:
    """Nothing new is launched or run; what runs may end within its grace; then no instance is left."""
    await daemon.put_profile("p", driver="runtime", stop_grace_s=30)
    select = {"runtime_selector": {"runtime_profile": "p"}}
    run_id = await daemon.submit("wait 2 seconds", **select)
    await daemon.until_event(run_id, "step")
    for name in ("p", "unused"):
        assert (await daemon.client.delete(f"{_PROFILES}/{name}?force=maybe")).status_code == 400
    assert (await daemon.client.delete(f"{_PROFILES}/p?force=false")).status_code == 409
    assert (await daemon.client.delete(f"{_PROFILES}/p?force=true")).status_code == 204
    assert (await daemon.client.post("/v1/instances", json={"runtime_profile": "p"})).status_code == 404
    await until_answer(daemon.instances, lambda found: [i["state"] for i in found] == ["stopping"])
    assert (await daemon.result(run_id))["ok"] is True
    assert await until_answer(daemon.instances, lambda found: not found) == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"defaults": {"env": {"A=B": "x"}}}, "$.defaults.env"),
        ({"defaults": {"env": {"A": "\0"}}}, "$.defaults.env: the value of 'A' holds a NUL."),
        ({"defaults": {"tool_registry_url": ""}}, "$.defaults.tool_registry_url"),
        ({"defaults": {"tool_registry_url": "http://[0e0:27a:]"}}, "$.defaults.tool_registry_url"),
        ({"extensions": {"arp.exec": {"driver": "python", "requirements": ["a"], "agent": "a:b"}}}, '"arp.exec"'),
        ({"extensions": {"arp.exec": {"driver": "shell"}}}, '"arp.exec"].driver: use one of runtime, command, python.'),
        ({"extensions": {"arp.exec": {}}}, '"arp.exec"].driver: use one of runtime, command, python.'),
        ({"extensions": {"arp.exec": {"driver": ["runtime"]}}}, '"arp.exec"].driver: use one of'),
        ({"extensions": {"arp.jarvis.exec": {"driver": "pip", "pip_spec": "a"}}}, '"arp.jarvis.exec"'),
    ],
)
async def test_a_profile_that_cannot_be_launched_is_refused_by_place(
    daemon: RunningDaemon, body: dict[str, Any], place: str
) -> None:
    """400 invalid_runtime_profile, and nothing is kept."""
    response = await daemon.client.put(f"{_PROFILES}/p", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_runtime_profile")
    assert place in response.json()["error"]["message"]
    assert [p["runtime_profile"] for p in (await daemon.get(_PROFILES))["profiles"]] == ["default"]


async def test_clients_set_what_the_profile_lets_them(daemon: RunningDaemon) -> None:
    """What it does not is refused before anything is launched."""
    await daemon.put_profile("p", driver="runtime", allow_overrides={"env": ["MODEL"], "args": False})
    for overrides in ({"env": {"OTHER": "x"}}, {"args": ["-v"]}):
        response = await daemon.client.post("/v1/instances", json={"runtime_profile": "p", "overrides": overrides})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    body = {"runtime_profile": "p", "overrides": {"env": {"MODEL": "small"}}}
    assert (await daemon.client.post("/v1/instances", json=body)).status_code == 200
