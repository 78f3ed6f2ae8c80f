"""What an environment is made from, and what an installer is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from arp_daemon.environment_build import without_credentials
from arp_daemon.environment_recipe import Recipe, recipe_of, runtime_folders
from arp_daemon.errors import InvalidProfileError
from arp_daemon.exec_spec import PythonExec, find_exec
from arp_daemon.installer_environment import installer_environment

_OTHER = {"other": Path("/opt/python/bin/python3")}
_FOLDER, _FILE = Path("/e/key.1"), Path("/e/key.1.txt")


def _recipe(**exec_: Any) -> Recipe:
    given = {"driver": "python", "requirements": ["a==1"], "command": ["{bin}/a"], **exec_}
    details = find_exec({"arp.exec": given})
    assert isinstance(details, PythonExec)
    return recipe_of(details, _OTHER)


def _agent(**exec_: Any) -> Recipe:
    return _recipe(command=None, agent="a:b", **exec_)


def test_what_makes_another_environment_makes_another_key() -> None:
    """Requirements, where they come from, the interpreter, the installer, the programs that must be there."""
    different: list[dict[str, Any]] = [
        {},
        {"requirements": ["a==2"]},
        {"index_url": "https://host/simple"},
        {"extra_index_urls": ["https://host/simple"]},
        {"find_links": ["/wheels"]},
        {"no_index": True},
        {"python": "other"},
        {"installer": "pip"},
        {"command": ["{bin}/b"]},
    ]
    keys = {_recipe(**exec_).key for exec_ in different} | {_agent().key}
    assert len(keys) == len(different) + 1


def test_what_only_concerns_instances_makes_no_other_environment() -> None:
    """Nor do credentials: they may change while the packages stay the same, and a name must not betray them."""
    secret = "https://user:{}@host/simple?token={}"
    alike: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {"max": 7, "env": {"A": "1"}, "build_timeout_s": 5}),
        ({"index_url": secret.format(1, 2)}, {"index_url": secret.format(3, 4)}),
        ({"requirements": ["a @ https://t1@host/a"]}, {"requirements": ["a @ https://t2@host/a"]}),
    ]
    for one, other in alike:
        assert _recipe(**one).key == _recipe(**other).key


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_no_argument_holds_a_url(installer: str) -> None:
    """Arguments are for every user of the machine to read."""
    secret = "https://user:geheim@host/x"
    recipe = _recipe(
        requirements=[f"a @ {secret}"],
        index_url=secret,
        extra_index_urls=[secret],
        find_links=[secret],
        installer=installer,
    )
    for step in [*recipe.steps(_FOLDER, _FILE), *recipe.last_steps(_FOLDER)]:
        assert "geheim" not in " ".join(step.argv)
    assert "geheim" in str(installer_environment(recipe, {}))


def test_uv_is_taken_where_it_is_and_pip_where_it_is_asked_for() -> None:
    """Both make the environment with the interpreter, and install from one file."""
    by_uv = [step.argv for step in _recipe().steps(_FOLDER, _FILE)]
    assert by_uv[0][:4] == [sys.executable, "-I", "-m", "uv"]
    by_pip = [step.argv for step in _recipe(installer="pip", no_index=True).steps(_FOLDER, _FILE)]
    assert by_pip[0] == [sys.executable, "-I", "-m", "venv", str(_FOLDER)]
    assert by_pip[1][:5] == [str(_FOLDER / "bin" / "python"), "-I", "-m", "pip", "install"]
    for _create, install in (by_uv, by_pip):
        assert install[-2:] == ["--requirement", str(_FILE)]
    assert "--no-index" in by_pip[1]
    assert "--no-index" not in by_uv[1]


def test_an_agent_is_lent_our_runtime_unless_it_brings_its_own() -> None:
    """A pinned one takes its place, however its name is written; a command needs none."""
    assert _agent().lent == runtime_folders()
    assert _agent(requirements=["ARP_Runtime==1.0.0"]).lent == ()
    assert _recipe().lent == ()
    assert any((Path(folder) / "arp_runtime").is_dir() for folder in runtime_folders())


@pytest.mark.parametrize(
    ("exec_", "why"),
    [
        ({"python": "unheard-of"}, "--interpreter"),
        ({"python": "other", "command": None, "agent": "a:b"}, "arp-runtime"),
    ],
)
def test_what_the_operator_does_not_offer_makes_no_environment(exec_: dict[str, Any], why: str) -> None:
    """A profile names interpreters, and no paths."""
    with pytest.raises(InvalidProfileError, match=why):
        _recipe(**exec_)


def test_an_installer_sees_where_packages_come_from_and_no_secrets() -> None:
    """The operator's settings for it, but nothing that would install somewhere else, and nothing of the rest."""
    kept = {"HOME": "/h", "PATH": "/bin", "HTTPS_PROXY": "http://p", "PIP_CERT": "/c", "UV_CACHE_DIR": "/u"}
    dropped = {"OPENAI_API_KEY": "s", "PIP_TARGET": "/t", "PYTHONPATH": "/x", "UV_PROJECT_ENVIRONMENT": "/y"}
    env = installer_environment(_recipe(installer="pip"), kept | dropped)
    assert env == kept


@pytest.mark.parametrize(
    ("installer", "wanted"),
    [
        ("uv", {"UV_DEFAULT_INDEX": "https://i", "UV_INDEX": "https://a https://b", "UV_FIND_LINKS": "/x,/y"}),
        (
            "pip",
            {"PIP_INDEX_URL": "https://i", "PIP_EXTRA_INDEX_URL": "https://a https://b", "PIP_FIND_LINKS": "/x /y"},
        ),
    ],
)
def test_what_the_profile_says_wins(installer: str, wanted: dict[str, str]) -> None:
    """Over the operator's own setting of the same."""
    recipe = _recipe(
        installer=installer,
        index_url="https://i",
        extra_index_urls=["https://a", "https://b"],
        find_links=["/x", "/y"],
    )
    env = installer_environment(recipe, dict.fromkeys(wanted, "https://operator"))
    assert {name: env[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("cannot fetch https://user:p%40ss-1@host/simple/a", "cannot fetch https://****@host/simple/a"),
        ("401 for user with p@ss-1", "401 for user with ****"),
        ("401 for p%40ss-1", "401 for ****"),
        (
            "no https://token-2@host/a, nor another: https://else:pw@host",
            "no https://****@host/a, nor another: https://****@host",
        ),
        ("bad token-2", "bad ****"),
    ],
)
def test_what_an_installer_says_is_shown_without_credentials(said: str, shown: str) -> None:
    """In a URL or by themselves, as they were written or as they are meant."""
    recipe = _recipe(index_url="https://user:p%40ss-1@host/simple", requirements=["a @ https://token-2@host/a"])
    assert without_credentials(recipe, said) == shown
