"""The daemon's safe list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.goals import not_applicable
from conformance.service import Service, new_id, read, read_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.conftest import MakeProfile

_PATH = "/v1/admin/runtime-profiles"
_FULL = {
    "runtime_name": "arp-runtime",
    "description": "For a test.",
    "defaults": {"env": {"A": "b"}, "args": ["--x"], "tool_registry_url": "http://127.0.0.1:8000"},
    "metadata": {"labels": {"team": "search"}},
    "extensions": {"com.example.x": {"y": [1, None]}},
}


def _instance_ids(daemon: Service) -> set[str]:
    return {instance["instance_id"] for instance in daemon.http.get("/v1/instances").json()["instances"]}


def _put(daemon: Service, name: str, body: dict[str, Any]) -> dict[str, Any]:
    return read(daemon.http.put(f"{_PATH}/{name}", json=body), "daemon/runtime_profiles/runtime_profile")


def _find(daemon: Service, name: str) -> list[dict[str, Any]]:
    page = read(daemon.http.get(_PATH), "daemon/runtime_profiles/runtime_profile_list_response")
    return [profile for profile in page["profiles"] if profile["runtime_profile"] == name]


@pytest.mark.requirement("profiles.default")
def test_a_profile_to_begin_with_is_there(daemon: Service) -> None:
    """A run that says nothing of where to go is executed by an instance of the profile `default`."""
    assert len(_find(daemon, "default")) == 1
    status, _ = daemon.run(daemon.goals.short)
    instances = read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")["instances"]
    [profile] = [i["runtime_profile"] for i in instances if i["instance_id"] == status["runtime_instance_id"]]
    assert profile == "default"


@pytest.fixture
def name(daemon: Service) -> Iterator[str]:
    """A name that no profile has; at the end it has none again."""
    name = new_id("profile")
    yield name
    daemon.http.delete(f"{_PATH}/{name}")


@pytest.fixture(scope="module")
def bodies(daemon: Service, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Two profiles that the daemon accepts: what they have to say is left to the extensions of a daemon."""
    file = request.config.getoption("--profile-file")
    if file:
        given: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
        return [{**given, "description": "The first."}, {**given, "description": "The second."}]
    name = new_id("profile")
    response = daemon.http.put(f"{_PATH}/{name}", json=_FULL)
    if response.is_client_error and not daemon.features:
        not_applicable("the daemon accepts only other profiles: give it one with --profile-file")
    daemon.http.delete(f"{_PATH}/{name}")
    return [{"description": "The first."}, _FULL]


@pytest.mark.requirement("profiles.upsert")
def test_a_profile_is_answered_as_it_was_put(daemon: Service, name: str, bodies: list[dict[str, Any]]) -> None:
    """Also one that replaces another of its name."""
    for body in bodies:
        _assert_is(_put(daemon, name, body), name, body)


@pytest.mark.requirement("profiles.listed")
def test_a_profile_is_listed_as_it_was_put_last(daemon: Service, name: str, bodies: list[dict[str, Any]]) -> None:
    """Once, and nothing of the one that it replaced is left."""
    for body in bodies:
        _put(daemon, name, body)
        [listed] = _find(daemon, name)
        _assert_is(listed, name, body)


@pytest.mark.requirement("profiles.delete")
def test_a_profile_that_was_deleted_is_gone(daemon: Service, name: str, bodies: list[dict[str, Any]]) -> None:
    """The answer has no body, and the list does not have it any more."""
    _put(daemon, name, bodies[0])
    deleted = daemon.http.delete(f"{_PATH}/{name}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert _find(daemon, name) == []


def _assert_is(profile: dict[str, Any], name: str, body: dict[str, Any]) -> None:
    """Fail unless the profile says what was put. (A daemon may add something of its own, under `extensions`.)"""
    found = {key: profile.get(key) for key in body if key != "extensions"}
    assert found == {key: value for key, value in body.items() if key != "extensions"}
    assert profile["runtime_profile"] == name
    extensions = profile.get("extensions", {})
    assert {key: extensions.get(key) for key in body.get("extensions", {})} == body.get("extensions", {})


@pytest.mark.requirement("profiles.missing")
def test_a_profile_that_is_not_there_cannot_be_deleted(daemon: Service, name: str) -> None:
    """Whoever mistypes a name learns it."""
    read_error(daemon.http.delete(f"{_PATH}/{name}"), 404, "runtime_profile_not_found")


@pytest.mark.requirement("profiles.pages")
def test_profiles_come_by_name_in_pages(daemon: Service, make_profile: MakeProfile) -> None:
    """Each page has what it may at most; the tokens lead through all of them, to an end."""
    mine = sorted(make_profile(description="For a test.") for _ in range(3))
    shown: list[str] = []
    parameters: dict[str, Any] | None = {"page_size": 2}
    while parameters is not None:
        answer = daemon.http.get(_PATH, params=parameters)
        page = read(answer, "daemon/runtime_profiles/runtime_profile_list_response")
        assert len(page["profiles"]) <= 2
        shown += [profile["runtime_profile"] for profile in page["profiles"]]
        token = page.get("pagination", {}).get("next_page_token")
        parameters = {"page_size": 2, "page_token": token} if token else None
    assert shown == sorted(set(shown))
    assert set(mine) <= set(shown)


@pytest.mark.requirement("profiles.force")
def test_a_profile_in_use_is_deleted_by_force(daemon: Service, make_profile: MakeProfile) -> None:
    """Its instances are told to end."""
    name = make_profile(extensions={"arp.exec": {"driver": "runtime"}})
    answer = daemon.http.post("/v1/instances", json={"runtime_profile": name})
    [instance] = read(answer, "daemon/instances/instance_create_response")["instances"]
    assert daemon.http.delete(f"{_PATH}/{name}", params={"force": "true"}).status_code == 204
    assert _find(daemon, name) == []
    left = daemon.http.get("/v1/instances").json()["instances"]
    assert {i["state"] for i in left if i["instance_id"] == instance["instance_id"]} <= {"stopping", "stopped"}


@pytest.mark.requirement("profiles.restart")
def test_the_instances_of_a_profile_are_replaced(daemon: Service, make_profile: MakeProfile) -> None:
    """The answer is the profile; the instance that was there is gone once another has taken its place."""
    name = make_profile(extensions={"arp.exec": {"driver": "runtime", "max": 2}})
    answer = daemon.http.post("/v1/instances", json={"runtime_profile": name})
    [old] = read(answer, "daemon/instances/instance_create_response")["instances"]
    restarted = daemon.http.post(f"{_PATH}/{name}:restart")
    assert read(restarted, "daemon/runtime_profiles/runtime_profile", 202)["runtime_profile"] == name
    while old["instance_id"] in _instance_ids(daemon):  # until it is gone; a check has a bound
        daemon.run(daemon.goals.short, runtime_selector={"runtime_profile": name})
    status, _ = daemon.run(daemon.goals.short, runtime_selector={"runtime_profile": name})
    assert status["runtime_instance_id"] in _instance_ids(daemon)
    read_error(daemon.http.post(f"{_PATH}/{new_id('nothing')}:restart"), 404, "runtime_profile_not_found")


@pytest.mark.requirement("profiles.bad")
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
    daemon.need_arp_exec()
    name = new_id("profile")
    response = daemon.http.put(f"{_PATH}/{name}", json={"extensions": {"arp.exec": details}})
    assert place in read_error(response, 400, "invalid_runtime_profile")["message"]
    assert _find(daemon, name) == []


@pytest.mark.requirement("profiles.bad")
def test_a_profile_that_says_nothing_is_refused(daemon: Service) -> None:
    """Nothing is launched, found or explained by an empty profile: it is a slip."""
    daemon.need_arp_exec()
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
