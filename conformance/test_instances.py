"""The daemon's instances: created from the safe list, listed, deleted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.goals import not_applicable
from conformance.judgement import NotMetError
from conformance.service import Service, new_id, read, read_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.conftest import MakeProfile

_RUNTIME = {"arp.exec": {"driver": "runtime", "max": 2}}


@pytest.fixture
def launchable(daemon: Service, request: pytest.FixtureRequest) -> Iterator[str]:
    """A profile from which instances can be launched; those that were are deleted at the end."""
    name = request.config.getoption("--runtime-profile") or _put_profile(daemon, request)
    before = {instance["instance_id"] for instance in _of_profile(daemon, name)}
    yield name
    for instance in _of_profile(daemon, name):
        if instance["instance_id"] not in before:
            daemon.http.delete(f"/v1/instances/{instance['instance_id']}")


def _put_profile(daemon: Service, request: pytest.FixtureRequest) -> str:
    """A new profile, which is deleted at the end: as the file has it that was given, or for our runtime."""
    file = request.config.getoption("--profile-file")
    if not file and not daemon.features:
        not_applicable("needs a profile from which the daemon can launch: --runtime-profile, or --profile-file")
    body = json.loads(Path(file).read_text(encoding="utf-8")) if file else {"extensions": _RUNTIME}
    path = f"/v1/admin/runtime-profiles/{new_id('profile')}"
    read(daemon.http.put(path, json=body), "daemon/runtime_profiles/runtime_profile")
    request.addfinalizer(lambda: daemon.http.delete(path))
    return path.rpartition("/")[2]


def _create(daemon: Service, profile: str, **body: Any) -> list[dict[str, Any]]:
    answer = daemon.http.post("/v1/instances", json={"runtime_profile": profile, **body})
    if not answer.is_success:
        raise NotMetError(f"instances are launched from a profile, not {answer.status_code}", "instances.create")
    created: list[dict[str, Any]] = read(answer, "daemon/instances/instance_create_response")["instances"]
    return created


def _of_profile(daemon: Service, profile: str) -> list[dict[str, Any]]:
    listed = read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")["instances"]
    return [instance for instance in listed if instance.get("runtime_profile") == profile]


@pytest.mark.requirement("instances.create")
def test_as_many_instances_are_created_as_were_asked_for(daemon: Service, launchable: str) -> None:
    """Each of its own id, managed, of the profile, and with the labels that were given."""
    created = _create(daemon, launchable, count=2, metadata={"labels": {"team": "search"}})
    assert len({instance["instance_id"] for instance in created}) == 2
    assert [(i["managed"], i["runtime_profile"]) for i in created] == [(True, launchable)] * 2
    assert [instance["metadata"] for instance in created] == [{"labels": {"team": "search"}}] * 2
    if daemon.goals.arp:
        assert {instance["state"] for instance in created} == {"ready"}


@pytest.mark.requirement("instances.listed")
def test_an_instance_that_was_created_is_listed(daemon: Service, launchable: str) -> None:
    """By the id that was answered."""
    [created] = _create(daemon, launchable)
    assert created["instance_id"] in [instance["instance_id"] for instance in _of_profile(daemon, launchable)]


@pytest.mark.requirement("instances.delete")
def test_an_instance_that_was_deleted_is_gone(daemon: Service, launchable: str) -> None:
    """The one that was meant, and no other."""
    created = _create(daemon, launchable, count=2)
    before = {instance["instance_id"] for instance in _of_profile(daemon, launchable)}
    deleted = daemon.http.delete(f"/v1/instances/{created[0]['instance_id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert {i["instance_id"] for i in _of_profile(daemon, launchable)} == before - {created[0]["instance_id"]}


@pytest.mark.requirement("selector.instance")
def test_a_run_goes_to_the_instance_that_it_names(daemon: Service, launchable: str) -> None:
    """Each of two instances gets the run that was meant for it."""
    for instance in _create(daemon, launchable, count=2):
        status, _ = daemon.run(daemon.goals.short, runtime_selector={"instance_id": instance["instance_id"]})
        assert status["runtime_instance_id"] == instance["instance_id"]


@pytest.mark.requirement("selector.endpoint")
def test_a_run_goes_to_the_endpoint_that_it_names(daemon: Service, launchable: str) -> None:
    """Each of two instances gets the run that was meant for it."""
    for instance in _create(daemon, launchable, count=2):
        endpoint = instance["runtime_api_endpoint"]
        status, _ = daemon.run(daemon.goals.short, runtime_selector={"runtime_api_endpoint": endpoint})
        assert status["runtime_instance_id"] == instance["instance_id"]


@pytest.mark.requirement("instances.drain")
def test_a_drained_instance_finishes_and_is_gone(daemon: Service, launchable: str) -> None:
    """The run that it has goes on to its end; then it can be drained no more."""
    [instance] = _create(daemon, launchable)
    goal = daemon.goals.of_arp("count to 25")
    run_id = daemon.submit(goal, runtime_selector={"instance_id": instance["instance_id"]})["run_id"]
    with daemon.following(run_id) as events:
        next(events)
        path = f"/v1/instances/{instance['instance_id']}:drain"
        assert read(daemon.http.post(path), "daemon/instances/runtime_instance")["state"] == "stopping"
    assert daemon.finish(run_id)[0]["state"] == "succeeded"
    while _of_profile(daemon, launchable):  # until it is gone; a check has a bound
        read(daemon.http.get("/v1/health"), "common/health")
    read_error(daemon.http.post(path), 404, "instance_not_found")


@pytest.mark.requirement("instances.logs")
def test_what_an_instance_wrote_can_be_read(daemon: Service, launchable: str) -> None:
    """As text; of one that is not there, nothing."""
    [instance] = _create(daemon, launchable)
    for stream in ("stdout", "stderr"):
        logs = daemon.http.get(f"/v1/instances/{instance['instance_id']}/logs", params={"stream": stream})
        assert logs.status_code == 200
        assert logs.headers["content-type"].startswith("text/plain")
    missing = daemon.http.get(f"/v1/instances/{new_id('nothing')}/logs")
    assert missing.status_code == 404


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
