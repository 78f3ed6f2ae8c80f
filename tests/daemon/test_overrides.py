"""What a client may set when it creates an instance."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from arp_daemon.exec_spec import AnyExec, find_exec
from arp_daemon.overrides import check_overrides
from arp_model import InstanceCreateRequestOverrides
from arp_service.errors import InvalidRequestError

_LOADER = ["LD_PRELOAD", "PYTHONPATH", "PATH", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "NODE_OPTIONS"]


def _details(**exec_: Any) -> AnyExec:
    details = find_exec({"arp.exec": {"driver": "runtime", **exec_}})
    assert details is not None
    return details


def _check(details: AnyExec, **overrides: Any) -> None:
    check_overrides(details, InstanceCreateRequestOverrides.from_dict(overrides))


def _refused(details: AnyExec, place: str, **overrides: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        _check(details, **overrides)
    assert place in caught.value.message


def test_a_profile_that_says_nothing_lets_clients_set_what_is_harmless() -> None:
    """Variables, arguments and the registry."""
    _check(_details(), env={"A": "1"}, args=["-v"], tool_registry_url="http://127.0.0.1:1")
    check_overrides(_details(), UNSET)


@pytest.mark.parametrize("name", [*_LOADER, "A=B", "", "1A"])
def test_a_client_cannot_choose_what_code_runs(name: str) -> None:
    """Variables of loaders and interpreters are refused, and names that are none."""
    _refused(_details(), "$.overrides.env", env={name: "x"})


def test_a_value_that_no_program_can_be_given_is_refused_as_one() -> None:
    """The name is right, and is not blamed."""
    _refused(_details(), "$.overrides.env: the value of 'A' holds a NUL.", env={"A": "x\0"})


@pytest.mark.parametrize("name", _LOADER)
def test_a_profile_may_name_a_loader_variable(name: str) -> None:
    """Then clients may set it."""
    _check(_details(allow_overrides={"env": [name]}), env={name: "x"})


@pytest.mark.parametrize("name", ["ARP_INSTANCE_NONCE", "ARP_LAUNCHER_ID", "ARP_INSTANCE_ID"])
def test_the_daemons_own_marks_are_nobody_elses_to_set(name: str) -> None:
    """Whatever the profile allows."""
    _refused(_details(allow_overrides={"env": [name, "*"]}), name, env={name: "x"})


def test_a_profile_may_list_the_variables_that_clients_set() -> None:
    """Others are refused by name."""
    details = _details(allow_overrides={"env": ["MODEL"]})
    _check(details, env={"MODEL": "small"})
    _refused(details, "'OTHER'", env={"OTHER": "x"})


def test_a_profile_may_forbid_arguments_and_the_registry() -> None:
    """The registry then also by its variable; what is not given is not refused."""
    details = _details(allow_overrides={"args": False, "tool_registry_url": False})
    _check(details, env={"A": "1"}, args=[])
    _refused(details, "$.overrides.args", args=["-v"])
    _refused(_details(), "$.overrides.tool_registry_url", tool_registry_url="")
    _refused(details, "$.overrides.tool_registry_url", tool_registry_url="http://127.0.0.1:1")
    _refused(details, "ARP_TOOL_REGISTRY_URL", env={"ARP_TOOL_REGISTRY_URL": "http://127.0.0.1:1"})


def test_a_secret_is_only_replaced_where_the_profile_names_it() -> None:
    """`*` does not mean what the profile takes by env_from."""
    env_from = {"KEY": {"file": "key"}}
    _refused(_details(env_from=env_from), "'KEY'", env={"KEY": "mine"})
    _check(_details(env_from=env_from, allow_overrides={"env": ["KEY"]}), env={"KEY": "mine"})


@pytest.mark.parametrize("overrides", [{"env": {"A": "\0"}}, {"args": ["\0"]}])
def test_a_nul_cannot_cut_a_value_short(overrides: dict[str, Any]) -> None:
    """The kernel would end the text there."""
    _refused(_details(), "$.overrides", **overrides)


def test_what_may_be_overridden_is_read_strictly() -> None:
    """An unknown right is no right."""
    with pytest.raises(Exception, match="allow_overrides"):
        _details(allow_overrides={"cwd": True})
    assert msgspec.to_builtins(_details().allow_overrides) == {"env": ["*"], "args": True, "tool_registry_url": True}
