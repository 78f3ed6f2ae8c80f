"""Runtimes that somebody else runs, registered with the daemon."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from conformance.service import Service, new_id, read, read_error

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH = "/v1/instances:register"


def _ids(daemon: Service) -> set[str]:
    return {instance["instance_id"] for instance in daemon.http.get("/v1/instances").json()["instances"]}


def _find(daemon: Service, instance: dict[str, Any]) -> list[dict[str, Any]]:
    listed = read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")["instances"]
    return [found for found in listed if found["instance_id"] == instance["instance_id"]]


def _register(daemon: Service, runtime: Service, **body: Any) -> dict[str, Any]:
    answer = daemon.http.post(_PATH, json={"runtime_api_endpoint": runtime.base_url, **body})
    instance: dict[str, Any] = read(answer, "daemon/instances/instance_register_response")["instance"]
    return instance


@pytest.fixture
def nothing_new(daemon: Service) -> Iterator[None]:
    """Clears away what a daemon registered although it should not have. Others would call what we name here."""
    daemon.need_arp_exec()
    before = _ids(daemon)
    yield
    for instance_id in _ids(daemon) - before:
        daemon.http.delete(f"/v1/instances/{instance_id}")


@pytest.fixture
def registered(daemon: Service, runtime: Service) -> Iterator[dict[str, Any]]:
    """The runtime, registered with the daemon under a name; at the end it is not, any more."""
    instance = _register(daemon, runtime, runtime_name="by-hand", metadata={"labels": {"team": "search"}})
    yield instance
    daemon.http.delete(f"/v1/instances/{instance['instance_id']}")


@pytest.mark.requirement("instances.register")
def test_a_registered_runtime_is_not_managed_and_gets_runs(daemon: Service, registered: dict[str, Any]) -> None:
    """Its name and its labels are those that were given."""
    assert registered["managed"] is False
    assert registered["state"] == "ready" or not daemon.goals.arp
    assert registered["runtime_name"] == "by-hand"
    assert registered["metadata"] == {"labels": {"team": "search"}}
    daemon.run(daemon.goals.short, runtime_selector={"instance_id": registered["instance_id"]})


@pytest.mark.requirement("instances.listed")
def test_a_registered_runtime_is_listed(daemon: Service, registered: dict[str, Any]) -> None:
    """As it was answered when it was registered."""
    assert _find(daemon, registered) == [registered]


@pytest.mark.requirement("selector.instance")
def test_a_run_goes_to_the_instance_that_it_names(daemon: Service, registered: dict[str, Any]) -> None:
    """Its status says so."""
    status, _ = daemon.run(daemon.goals.short, runtime_selector={"instance_id": registered["instance_id"]})
    assert status["runtime_instance_id"] == registered["instance_id"]


@pytest.mark.requirement("instances.delete")
def test_a_registered_runtime_that_is_deleted_is_gone(daemon: Service, registered: dict[str, Any]) -> None:
    """The answer has no body, and the list does not have it any more."""
    deleted = daemon.http.delete(f"/v1/instances/{registered['instance_id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert _find(daemon, registered) == []


@pytest.mark.requirement("instances.missing")
def test_an_instance_that_is_not_there_cannot_be_deleted(daemon: Service) -> None:
    """Whoever mistypes an id learns it."""
    read_error(daemon.http.delete(f"/v1/instances/{new_id('nothing')}"), 404, "instance_not_found")


@pytest.mark.requirement("instances.not_ours")
def test_a_registered_runtime_that_is_let_go_serves_on(
    daemon: Service, runtime: Service, registered: dict[str, Any]
) -> None:
    """It has the runs that it was given, and takes others."""
    status, result = daemon.run(daemon.goals.short, runtime_selector={"runtime_name": "by-hand"})
    assert daemon.http.delete(f"/v1/instances/{registered['instance_id']}").status_code == 204
    if daemon.goals.arp:
        assert runtime.result(status["run_id"])["output"] == result["output"]
    assert runtime.run(runtime.goals.short)[0]["state"] == "succeeded"


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.requirement("instances.probed")
@pytest.mark.parametrize(
    ("endpoint", "status", "code"),
    [
        ("http://192.0.2.1:8081", 403, "endpoint_not_allowed"),
        ("http://127.0.0.1.example.com:8081", 403, "endpoint_not_allowed"),
        ("http://[2001:db8::1]:8081", 403, "endpoint_not_allowed"),
        ("ftp://127.0.0.1:8081", 400, "invalid_request"),
        ("127.0.0.1:8081", 400, "invalid_request"),
        ("http://user:word@127.0.0.1:8081", 400, "invalid_request"),
        ("http://127.0.0.1:99999", 400, "invalid_request"),
        ("http://[", 400, "invalid_request"),
        ("", 400, "invalid_request"),
    ],
)
def test_an_endpoint_that_is_not_allowed_is_refused(daemon: Service, endpoint: str, status: int, code: str) -> None:
    """Only a base address on this machine is ever called."""
    read_error(daemon.http.post(_PATH, json={"runtime_api_endpoint": endpoint}), status, code)


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.requirement("instances.probed")
def test_an_endpoint_where_nobody_answers_is_refused(daemon: Service) -> None:
    """Whoever registers learns at once that there is no runtime."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    read_error(daemon.http.post(_PATH, json={"runtime_api_endpoint": endpoint}), 422, "runtime_probe_failed")


@pytest.mark.usefixtures("nothing_new")
@pytest.mark.requirement("instances.probed")
def test_a_daemon_is_no_runtime(daemon: Service) -> None:
    """A daemon that handed its runs to itself would never be done with them."""
    response = daemon.http.post(_PATH, json={"runtime_api_endpoint": daemon.base_url})
    read_error(response, 422, "runtime_probe_failed")
