"""The daemon's instances: created from the safe list, listed, deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conformance.service import Service, new_id, read, read_error

if TYPE_CHECKING:
    from conformance.conftest import MakeProfile

_RUNTIME = {"arp.exec": {"driver": "runtime", "max": 2}}


def _create(daemon: Service, profile: str, **body: Any) -> list[dict[str, Any]]:
    answer = daemon.http.post("/v1/instances", json={"runtime_profile": profile, **body})
    created: list[dict[str, Any]] = read(answer, "daemon/instances/instance_create_response")["instances"]
    return created


def _of_profile(daemon: Service, profile: str) -> list[dict[str, Any]]:
    listed = read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")["instances"]
    return [instance for instance in listed if instance.get("runtime_profile") == profile]


@pytest.mark.requirement("instances.create", "instances.list", "instances.delete")
def test_instances_are_created_listed_and_deleted(daemon: Service, make_profile: MakeProfile) -> None:
    """As many as were asked for, each ready to take runs, until it is deleted."""
    name = make_profile(runtime_name="arp-runtime", extensions=_RUNTIME)
    created = _create(daemon, name, count=2, metadata={"labels": {"team": "search"}})
    assert len({instance["instance_id"] for instance in created}) == 2
    assert [(i["state"], i["managed"], i["runtime_name"]) for i in created] == [("ready", True, "arp-runtime")] * 2
    assert [instance["metadata"] for instance in created] == [{"labels": {"team": "search"}}] * 2
    for left in (1, 0):
        path = f"/v1/instances/{created[left]['instance_id']}"
        assert daemon.http.delete(path).status_code == 204
        assert [i["instance_id"] for i in _of_profile(daemon, name)] == [i["instance_id"] for i in created[:left]]
        read_error(daemon.http.delete(path), 404, "instance_not_found")


@pytest.mark.requirement("selector.instance")
def test_a_run_goes_to_the_instance_that_it_names(daemon: Service, make_profile: MakeProfile) -> None:
    """Each of two instances gets the run that was meant for it, by id and by endpoint."""
    for instance in _create(daemon, make_profile(extensions=_RUNTIME), count=2):
        for name, key in (("instance_id", "instance_id"), ("runtime_api_endpoint", "runtime_api_endpoint")):
            status, _ = daemon.run("What is (19*23)?", runtime_selector={name: instance[key]})
            assert (status["state"], status["runtime_instance_id"]) == ("succeeded", instance["instance_id"])


@pytest.mark.requirement("instances.safe_list")
def test_only_what_the_safe_list_says_is_launched(daemon: Service, make_profile: MakeProfile) -> None:
    """An unknown profile, one that does not say how, more than it allows, or a loader's variable."""
    name = make_profile(extensions=_RUNTIME)
    only_a_label = make_profile(description="For registered instances.")
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({"runtime_profile": new_id("nothing")}, 404, "runtime_profile_not_found"),
        ({"runtime_profile": only_a_label}, 422, "runtime_profile_not_launchable"),
        ({"runtime_profile": name, "count": 0}, 400, "invalid_request"),
        ({"runtime_profile": name, "count": 3}, 400, "invalid_request"),
        ({"runtime_profile": name, "overrides": {"env": {"LD_PRELOAD": "x.so"}}}, 400, "invalid_request"),
        ({"runtime_profile": name, "overrides": {"command": ["sh"]}}, 400, "invalid_request"),
    ]
    for body, status, code in refused:
        read_error(daemon.http.post("/v1/instances", json=body), status, code)
    assert _of_profile(daemon, name) == []


@pytest.mark.requirement("instances.half_made")
@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"driver": "command", "command": ["sh", "-c", "echo no luck >&2; exit 3"]}, "no luck"),
        ({"driver": "command", "command": ["sleep", "600"], "start_timeout_s": 0.2}, ""),
        ({"driver": "command", "command": ["no-such-program-at-all"]}, ""),
        ({"driver": "runtime", "agent": "no.such:agent"}, "no.such"),
    ],
    ids=["ends at once", "never healthy", "no such program", "no such agent"],
)
def test_a_program_that_does_not_start_leaves_nothing(
    daemon: Service, make_profile: MakeProfile, details: dict[str, Any], words: str
) -> None:
    """The answer shows what it said last; a run that waits for such an instance fails with the same code."""
    name = make_profile(extensions={"arp.exec": details})
    error = read_error(daemon.http.post("/v1/instances", json={"runtime_profile": name}), 422, "instance_start_failed")
    assert words in str(error)
    status, result = daemon.run("What is (19*23)?", runtime_selector={"runtime_profile": name})
    assert (status["state"], result["error"]["code"]) == ("failed", "instance_start_failed")
    assert _of_profile(daemon, name) == []


@pytest.mark.requirement("selector.refused")
def test_a_selector_that_fits_nothing_is_refused(daemon: Service, make_profile: MakeProfile) -> None:
    """The answer says what is missing, and no run is there afterwards."""
    name = make_profile(extensions=_RUNTIME)
    [instance] = _create(daemon, name)
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({"runtime_profile": new_id("nothing")}, 404, "runtime_profile_not_found"),
        ({"instance_id": new_id("nothing")}, 404, "instance_not_found"),
        ({"runtime_name": new_id("nothing")}, 404, "no_matching_instance"),
        ({"runtime_api_endpoint": "http://127.0.0.1:9"}, 404, "no_matching_instance"),
        ({"runtime_profile": make_profile(description="A label.")}, 404, "no_matching_instance"),
        ({"instance_id": instance["instance_id"], "runtime_profile": "default"}, 400, "invalid_selector"),
    ]
    for selector, status, code in refused:
        run_id = new_id("unmatched")
        request = {"run_id": run_id, "input": {"goal": "x"}, "runtime_selector": selector}
        read_error(daemon.http.post("/v1/runs", json=request), status, code)
        read_error(daemon.http.get(f"/v1/runs/{run_id}"), 404, "run_not_found")
