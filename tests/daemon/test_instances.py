"""Instances: launched, registered, listed, deleted; and profiles, the safe list."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from support.runtime import running_runtime

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

_BESTIARY = Path(__file__).parent.parent / "support" / "bestiary"
_PLAIN = [sys.executable, str(_BESTIARY / "plain_runtime.py"), "{host}", "{port}"]
_EXEC = "/v1/admin/runtime-profiles"


async def _create(daemon: RunningDaemon, **body: Any) -> list[dict[str, Any]]:
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "default", **body})
    assert response.status_code == 200, response.text
    return list(response.json()["instances"])


async def test_instances_are_created_in_parallel_and_are_processes_of_their_own(daemon: RunningDaemon) -> None:
    """Each is ready, at an endpoint of its own, and a child of the launcher, not of the daemon."""
    created = await _create(daemon, count=3, metadata={"labels": {"a": "b"}})
    assert [i["state"] for i in created] == ["ready"] * 3
    assert len({i["runtime_api_endpoint"] for i in created}) == 3
    assert all(i["metadata"] == {"labels": {"a": "b"}} for i in created)
    parents = {psutil.Process(i["extensions"]["arp.pid"]).ppid() for i in created}
    assert len(parents) == 1
    assert daemon.process.pid not in parents


async def test_a_deleted_instance_leaves_no_process(daemon: RunningDaemon) -> None:
    """204, gone from the list, and its process with it; deleting again is a 404."""
    (instance,) = await _create(daemon)
    path = f"/v1/instances/{instance['instance_id']}"
    assert (await daemon.client.delete(path)).status_code == 204
    assert await daemon.instances() == []
    assert not psutil.pid_exists(instance["extensions"]["arp.pid"])
    assert (await daemon.client.delete(path)).json()["error"]["code"] == "instance_not_found"


async def test_defaults_and_overrides_take_effect_at_launch(daemon: RunningDaemon) -> None:
    """env is merged, args are added, the registry is replaced."""
    body = {
        "defaults": {
            "env": {"A": "1", "B": "1"},
            "args": ["--drain-grace-s"],
            "tool_registry_url": "http://127.0.0.1:1",
        },
        "extensions": {"arp.exec": {"driver": "command", "command": _PLAIN}},
    }
    assert (await daemon.client.put(f"{_EXEC}/tuned", json=body)).is_success
    overrides = {"env": {"B": "2"}, "args": ["4"], "tool_registry_url": "http://127.0.0.1:2"}
    (instance,) = await _create(daemon, runtime_profile="tuned", overrides=overrides)
    process = psutil.Process(instance["extensions"]["arp.pid"])
    env = process.environ()
    assert (env["A"], env["B"], env["ARP_TOOL_REGISTRY_URL"]) == ("1", "2", "http://127.0.0.1:2")
    assert process.cmdline()[-2:] == ["--drain-grace-s", "4"]


@pytest.mark.parametrize("template", [{}, {"template": "arp_runtime.cli:main"}])
@pytest.mark.parametrize(
    "overrides", [{"env": {"ARP_RUNTIME_DRAIN_GRACE_S": "a while"}}, {"args": ["--drain-grace-s=a"]}]
)
async def test_both_ways_to_start_read_the_overrides(
    daemon: RunningDaemon, template: dict[str, str], overrides: dict[str, Any]
) -> None:
    """A forked instance sees its own environment and arguments, as an executed one does: here, wrong ones."""
    await daemon.put_profile(driver="runtime", **template)
    body = {"runtime_profile": "default", "overrides": overrides}
    response = await daemon.client.post("/v1/instances", json=body)
    assert response.status_code == 422
    assert "drain" in response.json()["error"]["details"]["stderr_tail"].lower()


async def test_a_client_cannot_set_loader_variables(daemon: RunningDaemon) -> None:
    """400, and nothing is launched."""
    body = {"runtime_profile": "default", "overrides": {"env": {"LD_PRELOAD": "/x.so"}}}
    response = await daemon.client.post("/v1/instances", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert await daemon.instances() == []


async def test_an_unknown_profile_launches_nothing(daemon: RunningDaemon) -> None:
    """404 runtime_profile_not_found."""
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "no"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "runtime_profile_not_found")


async def test_more_instances_than_the_profile_allows_are_refused(daemon: RunningDaemon) -> None:
    """The profile's max holds for clients too."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1)
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "default", "count": 2})
    assert response.status_code == 400
    assert response.json()["error"]["details"] == {"max": 1, "present": 0}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("import sys; sys.exit('no licence found')", "no licence found"),
        ("import sys, time; print('still thinking', file=sys.stderr, flush=True); time.sleep(60)", "still thinking"),
    ],
)
async def test_an_instance_that_does_not_get_healthy_is_a_clear_error_and_leaves_nothing(
    daemon: RunningDaemon, script: str, why: str
) -> None:
    """One that exits, and one that never answers: 422 with the tail of its stderr, and no process."""
    command = [sys.executable, "-c", script]
    await daemon.put_profile("bad", driver="command", command=command, start_timeout_s=2, max=3)
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "bad", "count": 2})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "instance_start_failed")
    assert why in response.json()["error"]["details"]["stderr_tail"]
    assert await daemon.instances() == []
    assert not [p for p in daemon.processes() if script in " ".join(p.cmdline())]


async def test_a_stranger_on_the_port_is_not_taken_for_the_instance(daemon: RunningDaemon, tmp_path: Path) -> None:
    """What answers at the port with another nonce than the launched one's is refused, however healthy it looks."""
    escape = tmp_path / "escape.py"
    escape.write_text(
        "import os, subprocess, sys, time\n"
        "# A grandchild that is handed to a helper outside: simulated by a runtime with another nonce.\n"
        "os.environ['ARP_INSTANCE_NONCE'] = 'of another'\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'arp_runtime', 'serve', '--port', sys.argv[1]])\n"
    )
    command = [sys.executable, str(escape), "{port}"]
    await daemon.put_profile("bad", driver="command", command=command, start_timeout_s=10)
    response = await daemon.client.post("/v1/instances", json={"runtime_profile": "bad"})
    error = response.json()["error"]
    assert error["code"] == "instance_start_failed"
    assert "Another program" in error["message"]


async def test_a_registered_runtime_serves_runs_and_is_never_touched(daemon: RunningDaemon) -> None:
    """Probed, used, deregistered; its process goes on."""
    async with running_runtime() as runtime:
        body = {"runtime_api_endpoint": runtime.base_url + "/", "runtime_profile": "theirs"}
        response = await daemon.client.post("/v1/instances:register", json=body)
        instance = response.json()["instance"]
        assert (instance["managed"], instance["state"]) == (False, "ready")
        run_id = await daemon.submit("What is 6*7?", runtime_selector={"runtime_api_endpoint": runtime.base_url})
        assert "42" in (await daemon.result(run_id))["output"]["answer"]
        again = await daemon.client.post("/v1/instances:register", json=body)
        assert again.json()["instance"]["instance_id"] == instance["instance_id"]
        assert (await daemon.client.delete(f"/v1/instances/{instance['instance_id']}")).status_code == 204
        assert runtime.process.returncode is None


async def test_an_endpoint_where_no_runtime_answers_is_refused(daemon: RunningDaemon) -> None:
    """Nothing there, or something else: 422 runtime_probe_failed, and nothing is registered."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for endpoint in (f"http://127.0.0.1:{port}", daemon.url + "/v1/nowhere"):
        response = await daemon.client.post("/v1/instances:register", json={"runtime_api_endpoint": endpoint})
        assert (response.status_code, response.json()["error"]["code"]) == (422, "runtime_probe_failed")
    assert await daemon.instances() == []


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        ("http://169.254.169.254/latest", 403),
        ("http://192.168.1.1:80", 403),
        ("http://example.com", 403),
        ("https://127.0.0.1:1", 400),
        ("file:///etc/passwd", 400),
        ("http://user@127.0.0.1:1", 400),
        ("not a url", 400),
        ("http://127.0.0.1:99999", 400),
        ("http://[::1", 400),
    ],
)
async def test_an_endpoint_that_the_operator_does_not_allow_is_never_called(
    daemon: RunningDaemon, endpoint: str, status: int
) -> None:
    """Refused before any connect."""
    response = await daemon.client.post("/v1/instances:register", json={"runtime_api_endpoint": endpoint})
    assert response.status_code == status, response.text


@pytest.mark.own_daemon
async def test_the_operator_may_allow_more_endpoints(daemon: RunningDaemon) -> None:
    """403 without --allow-endpoint; with it the endpoint is called, and here found silent."""
    body = {"runtime_api_endpoint": "http://[::ffff:127.0.0.1]:1"}
    response = await daemon.client.post("/v1/instances:register", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "endpoint_not_allowed")
    await daemon.stop()
    await daemon.start("--allow-endpoint", "rt.example.com", "--allow-endpoint", "[::ffff:127.0.0.1]:1")
    response = await daemon.client.post("/v1/instances:register", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "runtime_probe_failed")


async def test_a_runtime_that_knows_only_the_standard_works_too(daemon: RunningDaemon) -> None:
    """No batch, no events, no cancel: it is polled, and the daemon writes the last event."""
    await daemon.put_profile("plain", driver="command", command=_PLAIN)
    select = {"runtime_selector": {"runtime_profile": "plain"}}
    good, bad = await daemon.submit("hello", **select), await daemon.submit("fail", **select)
    assert (await daemon.result(good))["output"] == {"echo": "hello"}
    assert (await daemon.result(bad))["error"]["code"] == "told_so"
    assert [e["type"] for e in await daemon.events(good)] == ["final"]


async def test_profiles_are_upserted_listed_in_pages_and_deleted(daemon: RunningDaemon) -> None:
    """The safe list, live."""
    for name in ("b", "a"):
        await daemon.put_profile(name)
    first = await daemon.get(f"{_EXEC}?page_size=2")
    assert [p["runtime_profile"] for p in first["profiles"]] == ["a", "b"]
    rest = await daemon.get(f"{_EXEC}?page_size=2&page_token={first['pagination']['next_page_token']}")
    assert [p["runtime_profile"] for p in rest["profiles"]] == ["default"]
    assert (await daemon.client.delete(f"{_EXEC}/a")).status_code == 204
    assert (await daemon.client.delete(f"{_EXEC}/a")).json()["error"]["code"] == "runtime_profile_not_found"


async def test_a_profile_in_use_is_not_deleted(daemon: RunningDaemon) -> None:
    """409 while instances of it live."""
    (instance,) = await _create(daemon)
    response = await daemon.client.delete(f"{_EXEC}/default")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "runtime_profile_in_use")
    assert response.json()["error"]["details"]["instance_ids"] == [instance["instance_id"]]


@pytest.mark.parametrize("name", ["a%2Fb", "a:b", "..", "a b", "x" * 200])
async def test_a_profile_needs_an_addressable_name(daemon: RunningDaemon, name: str) -> None:
    """Names are ids."""
    response = await daemon.client.put(f"{_EXEC}/{name}", json={})
    assert response.status_code in {400, 404}
    assert response.json()["error"]["code"] in {"invalid_request", "not_found"}


async def test_an_instance_shows_what_holds_its_limits(daemon: RunningDaemon) -> None:
    """Issue 3: whether by a cgroup, by an rlimit, or by nothing on this machine; in the profile's words and units."""
    limits = {"memory_mib": 2048, "processes": 500, "open_files": 300, "cpu_weight": 50}
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", limits=limits)
    (instance,) = await _create(daemon)
    held = instance["extensions"]["arp.limits"]
    assert {name: each["limit"] for name, each in held.items()} == limits
    assert {each["by"] for each in held.values()} <= {"cgroup", "rlimit", "nice", "nothing"}
    assert psutil.Process(instance["extensions"]["arp.pid"]).rlimit(psutil.RLIMIT_NOFILE) == (300, 300)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of other users")
async def test_an_instance_of_another_user_serves_the_daemon(daemon: RunningDaemon) -> None:
    """Issue 3: `user` in the profile. Our runtime's door admits the daemon that launched it."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", user="nobody")
    (instance,) = await _create(daemon)
    assert psutil.Process(instance["extensions"]["arp.pid"]).username() == "nobody"
    assert (await daemon.end(await daemon.submit("6*7")))["state"] == "succeeded"
