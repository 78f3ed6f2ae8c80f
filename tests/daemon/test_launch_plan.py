"""From a profile and overrides to what the launcher is told."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from msgspec import UNSET

from arp_daemon.errors import InvalidProfileError, ProfileNotLaunchableError
from arp_daemon.exec_spec import find_exec
from arp_daemon.launch_plan import LaunchPlan, check_overrides, plan_launch
from arp_model import InstanceCreateRequestOverrides, RuntimeProfile
from arp_service.errors import InvalidRequestError

_ENVIRONMENT = {"PATH": "/bin", "HOME": "/h", "SECRET_TOKEN": "s", "ARP_DAEMON_PORT": "1"}


def _profile(exec_: dict[str, Any] | None, **defaults: Any) -> RuntimeProfile:
    body: dict[str, Any] = {"runtime_profile": "p", "defaults": defaults}
    if exec_ is not None:
        body["extensions"] = {"arp.exec": exec_}
    return RuntimeProfile.from_dict(body)


def _plan(profile: RuntimeProfile, **overrides: Any) -> LaunchPlan:
    given = InstanceCreateRequestOverrides.from_dict(overrides) if overrides else UNSET
    return plan_launch(profile, given, instance_id="i1", nonce="n", environment=_ENVIRONMENT)


def test_an_instance_sees_an_allow_listed_environment() -> None:
    """Nothing of the daemon's environment passes but where programs, homes and locales are."""
    plan = _plan(_profile({"driver": "runtime"}))
    assert plan.spec.env == {"PATH": "/bin", "HOME": "/h", "ARP_INSTANCE_NONCE": "n"}


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


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONPATH", "PATH", "LD_LIBRARY_PATH", "A=B", "", "BASH_ENV"])
def test_a_client_cannot_choose_what_code_runs(name: str) -> None:
    """Loader and interpreter variables are refused as overrides."""
    with pytest.raises(InvalidRequestError, match=r"\$\.overrides\.env"):
        check_overrides(InstanceCreateRequestOverrides(env={name: "x"}))


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
        ({"driver": "runtime", "start_timeout_s": -1}, "start_timeout_s"),
        ("runtime", "arp.exec"),
    ],
)
def test_launch_details_that_make_no_sense_are_refused_by_place(details: Any, place: str) -> None:
    """The message names the place within the extensions."""
    with pytest.raises(InvalidProfileError) as caught:
        find_exec({"arp.exec": details})
    assert '$.extensions["arp.exec"]' in caught.value.message
    assert place in caught.value.message
