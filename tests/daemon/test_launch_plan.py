"""From a profile and overrides to what the launcher is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from arp_daemon.errors import InvalidProfileError, ProfileNotLaunchableError
from arp_daemon.exec_spec import find_exec
from arp_daemon.launch_plan import LaunchPlan, Surroundings, plan_launch
from arp_daemon.launcher.protocol import Limits
from arp_model import InstanceCreateRequestOverrides, RuntimeProfile

_DATA_DIR = Path("/data")
_ENVIRONMENT = {"PATH": "/bin", "HOME": "/h", "SECRET_TOKEN": "s", "ARP_DAEMON_PORT": "1"}


def _profile(exec_: dict[str, Any] | None, **defaults: Any) -> RuntimeProfile:
    body: dict[str, Any] = {"runtime_profile": "p", "defaults": defaults}
    if exec_ is not None:
        body["extensions"] = {"arp.exec": exec_}
    return RuntimeProfile.from_dict(body)


def _plan(profile: RuntimeProfile, surroundings: Surroundings | None = None, **overrides: Any) -> LaunchPlan:
    given = InstanceCreateRequestOverrides.from_dict(overrides) if overrides else UNSET
    surroundings = surroundings or Surroundings(_ENVIRONMENT, _DATA_DIR)
    return plan_launch(profile, given, surroundings, instance_id="i1", nonce="n")


def test_an_instance_sees_an_allow_listed_environment() -> None:
    """Nothing of the daemon's environment passes but where programs, homes and locales are."""
    plan = _plan(_profile({"driver": "runtime"}))
    assert plan.spec.env == {"PATH": "/bin", "HOME": "/h", "PYTHONUNBUFFERED": "1", "ARP_INSTANCE_NONCE": "n"}


def test_overrides_win_over_defaults_and_args_are_added() -> None:
    """env is merged, args follow the profile's, the registry is replaced."""
    profile = _profile(
        {"driver": "command", "command": ["prog", "--port", "{port}"]},
        env={"A": "1", "B": "1"},
        args=["-v"],
        tool_registry_url="http://127.0.0.1:8000",
    )
    plan = _plan(profile, env={"B": "2"}, args=["-x"], tool_registry_url="http://127.0.0.1:9000")
    assert plan.spec.argv == ["prog", "--port", "{port}", "-v", "-x"]
    assert {k: plan.spec.env[k] for k in "AB"} == {"A": "1", "B": "2"}
    assert plan.spec.env["ARP_TOOL_REGISTRY_URL"] == "http://127.0.0.1:9000"


def test_our_runtime_is_executed_or_forked_from_a_template() -> None:
    """Both ways give it a bound socket and its agent."""
    plain = _plan(_profile({"driver": "runtime", "agent": "m:a"})).spec
    assert plain.argv == [sys.executable, "-m", "arp_runtime", "serve", "--host", "fd://{fd}", "--agent", "m:a"]
    forked = _plan(_profile({"driver": "runtime", "template": "arp_runtime.cli:main"})).spec
    assert (forked.argv[0], forked.template, forked.listen) == ("arp-runtime", "arp_runtime.cli:main", "fd")


def test_what_is_closer_to_the_launch_wins() -> None:
    """The daemon's, then the profile's env, its defaults, the secrets, the client's."""
    names = ["HOME", *"ABCD"]
    exec_ = {"driver": "command", "command": ["x"], "env": dict.fromkeys(names, "env")}
    surroundings = Surroundings(_ENVIRONMENT, _DATA_DIR, dict.fromkeys("BC", "secret"))
    env = _plan(_profile(exec_, env=dict.fromkeys("ABC", "defaults")), surroundings, env={"C": "client"}).spec.env
    wanted = {"HOME": "env", "A": "defaults", "B": "secret", "C": "client", "D": "env"}
    assert {name: env[name] for name in names} == wanted


def test_nothing_takes_the_place_of_the_nonce() -> None:
    """It tells our instance from a stranger on its port."""
    assert _plan(_profile({"driver": "runtime"}, env={"ARP_INSTANCE_NONCE": "x"})).spec.env["ARP_INSTANCE_NONCE"] == "n"


def test_an_agent_runs_in_its_environment_on_our_runtime() -> None:
    """The environment's interpreter, a bound socket, and its programs first on the PATH."""
    exec_ = {"driver": "python", "requirements": ["a==1"], "agent": "m:a", "working_directory": "/w"}
    spec = _plan(_profile(exec_), Surroundings(_ENVIRONMENT, _DATA_DIR, venv=Path("/v"))).spec
    assert spec.argv == ["/v/bin/python", "-m", "arp_runtime", "serve", "--host", "fd://{fd}", "--agent", "m:a"]
    assert (spec.listen, spec.cwd) == ("fd", "/w")
    assert (spec.env["PATH"], spec.env["VIRTUAL_ENV"]) == ("/v/bin:/bin", "/v")


def test_a_command_finds_its_environment_by_placeholders() -> None:
    """In the profile's words; a client's arguments stay as they are."""
    exec_ = {"driver": "python", "requirements": [], "command": ["{bin}/x", "{python}", "--port={port}"]}
    plan = _plan(_profile(exec_), Surroundings(_ENVIRONMENT, _DATA_DIR, venv=Path("/v")), args=["{python}"])
    assert plan.spec.argv == ["/v/bin/x", "/v/bin/python", "--port={port}", "{python}"]
    assert plan.spec.listen == "port"


def test_a_profile_without_launch_details_launches_nothing() -> None:
    """It only labels registered instances."""
    with pytest.raises(ProfileNotLaunchableError):
        _plan(_profile(None))


@pytest.mark.parametrize(
    ("details", "place"),
    [
        ({}, "driver"),
        ({"driver": "shell"}, "driver"),
        ({"driver": "command"}, "command"),
        ({"driver": "command", "command": []}, "command"),
        ({"driver": "command", "command": ["x", 1]}, "command"),
        ({"driver": "runtime", "colour": "red"}, "colour"),
        ({"driver": "runtime", "min": 3, "max": 2}, "min"),
        ({"driver": "runtime", "template": "os; rm"}, "template"),
        ({"driver": "runtime", "agent": ""}, "agent"),
        ({"driver": "runtime", "agent": "--host=example.com"}, "agent"),
        ({"driver": "runtime", "agent": "a\nb"}, "agent"),
        ({"driver": "runtime", "start_timeout_s": -1}, "start_timeout_s"),
        ({"driver": "runtime", "working_directory": "here"}, "working_directory"),
        ({"driver": "runtime", "env": {"A=B": "x"}}, "env"),
        ({"driver": "runtime", "env": {"A": "\0"}}, "env"),
        ({"driver": "runtime", "env_from": {"A": {}}}, "env_from"),
        ({"driver": "runtime", "env_from": {"A": {"file": "f", "env": "E"}}}, "env_from"),
        ({"driver": "runtime", "allow_overrides": {"env": ["A-B"]}}, "allow_overrides"),
        ({"driver": "runtime", "max_queued": -1}, "max_queued"),
        ({"driver": "runtime", "retries": 1000}, "retries"),
        ({"driver": "runtime", "max_timeout_ms": 1.5}, "max_timeout_ms"),
        ({"driver": "command", "command": ["x", "{uds}"], "listen": "port"}, "uds"),
        ({"driver": "command", "command": ["x", "{uds}:{port}"]}, "uds"),
        ({"driver": "command", "command": ["x\0"]}, "NUL"),
        ({"driver": "python", "agent": "a:b"}, "requirements"),
        ({"driver": "python", "requirements": []}, "agent or command"),
        ({"driver": "python", "requirements": [], "agent": "a:b", "command": ["x"]}, "agent or command"),
        ({"driver": "python", "requirements": ["a"], "agent": "a:b"}, "'a' is not pinned"),
        ({"driver": "python", "requirements": [], "agent": "a:b", "installer": "conda"}, "installer"),
        ({"driver": "python", "requirements": [], "agent": "a:b", "index_url": "-x"}, "'-x'"),
        ({"driver": "python", "requirements": [], "agent": "a:b", "find_links": ["x y"]}, "'x y'"),
        ("runtime", "arp.exec"),
    ],
)
def test_launch_details_that_make_no_sense_are_refused_by_place(details: Any, place: str) -> None:
    """The message names the place within the extensions."""
    with pytest.raises(InvalidProfileError) as caught:
        find_exec({"arp.exec": details})
    assert '$.extensions["arp.exec"]' in caught.value.message
    assert place in caught.value.message


def test_limits_and_user_reach_the_launcher_in_its_units() -> None:
    """A profile counts in MiB; what it leaves out is not limited."""
    exec_ = {"driver": "command", "command": ["p"], "user": "nobody", "limits": {"memory_mib": 64, "cpu_weight": 10}}
    spec = _plan(_profile(exec_)).spec
    assert spec.user == "nobody"
    assert spec.limits == Limits(memory_bytes=64 * 1024 * 1024, cpu_weight=10)


def test_another_user_has_a_home_of_his_own_and_our_runtime_admits_the_daemon() -> None:
    """What a login sets is left to the launcher, which knows the user; the runtime's door would keep the daemon out."""
    surroundings = Surroundings(_ENVIRONMENT | {"USER": "daemon"}, _DATA_DIR, uid=4711)
    spec = _plan(_profile({"driver": "runtime", "user": "nobody"}, env={"USER": "mine"}), surroundings).spec
    assert spec.env == {"PATH": "/bin", "USER": "mine", "PYTHONUNBUFFERED": "1", "ARP_INSTANCE_NONCE": "n"}
    admit = spec.argv.index("--admit-uid")
    assert spec.argv[admit + 1] == "4711"
    assert "--admit-uid" not in _plan(_profile({"driver": "runtime"}), surroundings).spec.argv


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": ""},
        {"user": "a b"},
        {"user": "../x"},
        {"user": 0},
        {"limits": {"memory_mib": 0}},
        {"limits": {"processes": 0}},
        {"limits": {"open_files": 3}},
        {"limits": {"cpu_weight": 10_001}},
        {"limits": {"memory": "1G"}},
    ],
)
def test_limits_and_users_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """Refused when the profile is put, naming the place."""
    with pytest.raises(InvalidProfileError, match=r"user|limits"):
        find_exec({"arp.exec": {"driver": "runtime", **wrong}})


@pytest.mark.parametrize(
    ("words", "listen", "expected"),
    [
        (["p"], None, "port"),
        (["p", "{host}:{port}"], None, "port"),
        (["p", "--uds={uds}"], None, "uds"),
        (["p", "--fd", "{fd}"], None, "fd"),
        (["p", "{port}"], "fd", "fd"),
        (["p"], "uds", "uds"),
    ],
)
def test_a_program_listens_where_its_words_ask_for(words: list[str], listen: str | None, expected: str) -> None:
    """Nobody has to say twice that it is a Unix socket; who says something else is believed."""
    exec_: dict[str, Any] = {"driver": "command", "command": words}
    assert _plan(_profile(exec_ if listen is None else exec_ | {"listen": listen})).spec.listen == expected
