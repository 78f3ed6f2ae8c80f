"""Profiles as arp-jarvis-daemon 0.1.0 documents them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from arp_daemon.errors import InvalidProfileError
from arp_daemon.exec_spec import CommandExec, PythonExec, find_exec
from arp_daemon.launch_plan import Surroundings, plan_launch
from arp_model import RuntimeProfile

_KEY = "arp.jarvis.exec"
_PIP = {"driver": "pip", "pip_spec": "arp-jarvis-runtime==v0.1.0", "entrypoint": "arp-jarvis-runtime"}
_COMMAND = {"driver": "command", "command_template": ["arp-jarvis-runtime", "serve", "--port", "{port}"]}


def test_a_pip_profile_is_an_environment_with_a_command() -> None:
    """The entry point of the installed package, `serve` unless it says otherwise, and a port."""
    details = find_exec({_KEY: _PIP})
    assert isinstance(details, PythonExec)
    assert details.requirements == ["arp-jarvis-runtime==v0.1.0"]
    assert details.command == ["{bin}/arp-jarvis-runtime", "serve", "--port", "{port}"]
    told = find_exec({_KEY: _PIP | {"entrypoint_args": ["run", "--quiet"]}})
    assert isinstance(told, PythonExec)
    assert told.command == ["{bin}/arp-jarvis-runtime", "run", "--quiet", "--port", "{port}"]


def test_pip_is_the_driver_where_none_is_named() -> None:
    """As that daemon had it."""
    assert isinstance(find_exec({_KEY: {k: v for k, v in _PIP.items() if k != "driver"}}), PythonExec)


def test_a_command_profile_is_started_where_the_daemon_was() -> None:
    """Its words may be relative to that folder."""
    details = find_exec({_KEY: _COMMAND})
    assert isinstance(details, CommandExec)
    assert details.command == _COMMAND["command_template"]
    assert (details.listen, details.working_directory) == ("port", str(Path.cwd()))
    assert (details.start_timeout_s, details.stop_grace_s, details.max) == (15.0, 5.0, 8)


@pytest.mark.parametrize("spec", ["./runtime", "../runtime", "/folder/run time"])
def test_a_local_path_is_taken_from_the_daemons_folder(spec: str) -> None:
    """And written as a URL, so that both installers read it alike."""
    details = find_exec({_KEY: _PIP | {"pip_spec": spec}})
    assert isinstance(details, PythonExec)
    assert details.requirements == [Path(os.path.abspath(spec)).as_uri()]  # noqa: PTH100 - the seam resolves links too


@pytest.mark.parametrize("spec", ["r @ file:///folder/r", "git+https://host/r@v1", "file:///folder/r"])
def test_the_other_ways_to_pin_stay(spec: str) -> None:
    """A direct reference, a revision, a file URL."""
    details = find_exec({_KEY: _PIP | {"pip_spec": spec}})
    assert isinstance(details, PythonExec)
    assert details.requirements == [spec]


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ("pip", _KEY),
        ({"driver": "docker"}, "driver"),
        (_PIP | {"pip_spec": ""}, "pip_spec"),
        (_PIP | {"pip_spec": "arp-jarvis-runtime"}, "not pinned"),
        (_PIP | {"pip_spec": "-r x"}, "requirement"),
        (_PIP | {"entrypoint": "../../bin/sh"}, "entrypoint"),
        (_PIP | {"entrypoint_args": "serve"}, "entrypoint_args"),
        ({"driver": "command"}, "command_template"),
        ({"driver": "command", "command_template": []}, "command_template"),
    ],
)
def test_what_that_daemon_refused_is_refused(payload: Any, place: str) -> None:
    """By place."""
    with pytest.raises(InvalidProfileError) as caught:
        find_exec({_KEY: payload})
    assert place in caught.value.message


def test_fields_that_it_does_not_know_are_left_alone() -> None:
    """That daemon did not look at them."""
    assert find_exec({_KEY: _COMMAND | {"note": "x"}}) is not None


def test_arp_exec_comes_first() -> None:
    """A profile may carry both while two daemons share it."""
    details = find_exec({_KEY: _PIP, "arp.exec": {"driver": "command", "command": ["x"]}})
    assert isinstance(details, CommandExec)
    assert details.command == ["x"]


def test_its_programs_find_the_variables_that_they_know() -> None:
    """The registry under its older name, and a folder for traces; what the profile sets stays."""
    body: dict[str, Any] = {"runtime_profile": "p", "extensions": {_KEY: _COMMAND}}
    surroundings = Surroundings({}, Path("/data"))

    def env(**defaults: Any) -> dict[str, str]:
        profile = RuntimeProfile.from_dict(body | {"defaults": defaults})
        return plan_launch(profile, UNSET, surroundings, instance_id="i", nonce="n").spec.env

    assert env(tool_registry_url="http://127.0.0.1:1")["JARVIS_TOOL_REGISTRY_URL"] == "http://127.0.0.1:1"
    assert env()["JARVIS_TRACE_DIR"] == "/data/jarvis-traces"
    assert env(env={"JARVIS_TRACE_DIR": "/t"})["JARVIS_TRACE_DIR"] == "/t"
