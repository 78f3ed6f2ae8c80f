"""Runtimes that somebody else runs, registered with the daemon."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from conformance.service import Service, read, read_error

_PATH = "/v1/instances:register"


def _register(daemon: Service, runtime: Service, **body: Any) -> dict[str, Any]:
    answer = daemon.http.post(_PATH, json={"runtime_api_endpoint": runtime.base_url, **body})
    instance: dict[str, Any] = read(answer, "daemon/instances/instance_register_response")["instance"]
    return instance


@pytest.mark.requirement("instances.register", "instances.list", "instances.delete", "instances.not_ours")
def test_a_registered_runtime_gets_runs(daemon: Service, runtime: Service) -> None:
    """It executes what is meant for it; deleted, it is forgotten and serves on."""
    instance = _register(daemon, runtime, runtime_name="by-hand", metadata={"labels": {"team": "search"}})
    assert (instance["state"], instance["managed"]) == ("ready", False)
    assert instance["metadata"] == {"labels": {"team": "search"}}
    listed = read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")["instances"]
    assert instance in listed
    status, result = daemon.run("What is (19*23)?", runtime_selector={"runtime_name": "by-hand"})
    assert status["runtime_instance_id"] == instance["instance_id"]
    assert runtime.result(status["run_id"])["output"] == result["output"]
    path = f"/v1/instances/{instance['instance_id']}"
    assert daemon.http.delete(path).status_code == 204
    read_error(daemon.http.delete(path), 404, "instance_not_found")
    assert runtime.run("What is (19*23)?")[0]["state"] == "succeeded"


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


@pytest.mark.requirement("instances.probed")
def test_an_endpoint_where_nobody_answers_is_refused(daemon: Service) -> None:
    """Whoever registers learns at once that there is no runtime."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    read_error(daemon.http.post(_PATH, json={"runtime_api_endpoint": endpoint}), 422, "runtime_probe_failed")


@pytest.mark.requirement("instances.probed")
def test_a_daemon_is_no_runtime(daemon: Service) -> None:
    """A daemon that handed its runs to itself would never be done with them."""
    response = daemon.http.post(_PATH, json={"runtime_api_endpoint": daemon.base_url})
    read_error(response, 422, "runtime_probe_failed")
