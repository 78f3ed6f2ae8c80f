"""The daemon's safe list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conformance.service import Service, new_id, read, read_error

if TYPE_CHECKING:
    from conformance.conftest import MakeProfile

_PATH = "/v1/admin/runtime-profiles"
_FULL = {
    "runtime_name": "arp-runtime",
    "description": "For a test.",
    "defaults": {"env": {"A": "b"}, "args": ["--x"], "tool_registry_url": "http://127.0.0.1:8000"},
    "metadata": {"labels": {"team": "search"}},
    "extensions": {"com.example.x": {"y": [1, None]}},
}


def _find(daemon: Service, name: str) -> list[dict[str, Any]]:
    page = read(daemon.http.get(_PATH), "daemon/runtime_profiles/runtime_profile_list_response")
    return [profile for profile in page["profiles"] if profile["runtime_profile"] == name]


@pytest.mark.requirement("profiles.default")
def test_a_profile_to_begin_with_is_there(daemon: Service) -> None:
    """A run that says nothing of where to go is executed by an instance of the profile `default`."""
    assert len(_find(daemon, "default")) == 1
    status, _ = daemon.run("What is (19*23)?")
    instances = read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")["instances"]
    [profile] = [i["runtime_profile"] for i in instances if i["instance_id"] == status["runtime_instance_id"]]
    assert profile == "default"


@pytest.mark.requirement("profiles.upsert", "profiles.list", "profiles.delete")
def test_a_profile_is_put_replaced_and_deleted(daemon: Service) -> None:
    """What was put last is what is listed, as it was given; what was deleted is gone."""
    name = new_id("profile")
    for body in ({"description": "The first."}, _FULL):
        answer = daemon.http.put(f"{_PATH}/{name}", json=body)
        assert read(answer, "daemon/runtime_profiles/runtime_profile") == {"runtime_profile": name, **body}
        assert _find(daemon, name) == [{"runtime_profile": name, **body}]
    deleted = daemon.http.delete(f"{_PATH}/{name}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert _find(daemon, name) == []
    read_error(daemon.http.delete(f"{_PATH}/{name}"), 404, "runtime_profile_not_found")


@pytest.mark.requirement("profiles.bad", "errors.names_the_place")
@pytest.mark.parametrize(
    ("details", "place"),
    [
        ({"driver": "magic"}, "driver"),
        ({}, "driver"),
        ({"driver": "runtime", "max": 0}, "max"),
        ({"driver": "runtime", "min": 3, "max": 2}, "min"),
        ({"driver": "runtime", "colour": "red"}, "colour"),
        ({"driver": "command"}, "command"),
        ({"driver": "command", "command": []}, "command"),
        ({"driver": "command", "command": "sh -c true"}, "command"),
        ("runtime", "object"),
    ],
)
def test_launch_details_that_make_no_sense_are_refused(daemon: Service, details: Any, place: str) -> None:
    """They are found when the profile is put, not when something is launched from it."""
    name = new_id("profile")
    response = daemon.http.put(f"{_PATH}/{name}", json={"extensions": {"arp.exec": details}})
    assert place in read_error(response, 400, "invalid_runtime_profile")["message"]
    assert _find(daemon, name) == []


@pytest.mark.requirement("profiles.bad")
def test_a_profile_that_says_nothing_is_refused(daemon: Service) -> None:
    """Nothing is launched, found or explained by an empty profile: it is a slip."""
    name = new_id("profile")
    read_error(daemon.http.put(f"{_PATH}/{name}", json={}), 400, "invalid_runtime_profile")
    assert _find(daemon, name) == []


@pytest.mark.requirement("ids.form")
@pytest.mark.parametrize("name", ["a..b", "-x", "%20", "x" * 129])
def test_a_profile_name_that_is_no_id_is_refused(daemon: Service, name: str) -> None:
    """Names of profiles are ids like any other."""
    read_error(daemon.http.put(f"{_PATH}/{name}", json={"description": "x"}), 400, "invalid_request")


@pytest.mark.requirement("profiles.in_use")
def test_a_profile_with_instances_is_not_deleted(daemon: Service, make_profile: MakeProfile) -> None:
    """It can be deleted once they are gone."""
    name = make_profile(extensions={"arp.exec": {"driver": "runtime"}})
    answer = daemon.http.post("/v1/instances", json={"runtime_profile": name})
    [instance] = read(answer, "daemon/instances/instance_create_response")["instances"]
    read_error(daemon.http.delete(f"{_PATH}/{name}"), 409, "runtime_profile_in_use")
    assert daemon.http.delete(f"/v1/instances/{instance['instance_id']}").status_code == 204
    assert daemon.http.delete(f"{_PATH}/{name}").status_code == 204
