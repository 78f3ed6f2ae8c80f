"""Which agent a name means, and what is said of a name that means none."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from arp_runtime.agents.kinds import Workplace
from arp_runtime.agents.loading import AgentNotLoadableError, load_agent, load_target
from support.distributions import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SOURCE = """
from neighbour import word

async def agent(context):
    return word

class Made:
    def run(self, context):
        return word

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder with modules of its own; what is imported from there is forgotten afterwards."""
    (tmp_path / "my_agents.py").write_text(_SOURCE)
    (tmp_path / "neighbour.py").write_text("word = 'here'")
    (tmp_path / "broken.py").write_text("\n\n1 / 0\n")
    (tmp_path / "unreadable.py").write_text("def agent(:\n")
    (tmp_path / "needy.py").write_text("import a_module_that_nobody_has\n")
    (tmp_path / "quitting.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "json.py").write_text("agent = print\n")
    (tmp_path / "empty.py").write_text("from json import dumps\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["my_agents:agent", "./my_agents.py:agent", "my_agents.py:agent"])
def test_an_agent_is_an_attribute_of_a_module_or_a_file(folder: Path, name: str) -> None:
    """Looked for in the current folder first; a file finds its neighbours."""
    assert load_agent(name).workplace is Workplace.LOOP
    assert load_target(name).__module__ == "my_agents"
    assert load_agent(name.replace("agent", "Made").replace("my_Mades", "my_agents")).workplace is Workplace.THREAD


def test_a_file_of_another_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path; it finds its own neighbours, not those of the current folder."""
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert load_agent("../my_agents.py:agent").workplace is Workplace.LOOP
    assert load_agent(f"{folder}/my_agents.py:agent").workplace is Workplace.LOOP


def test_an_installed_package_offers_agents_by_name(folder: Path) -> None:
    """Through the entry-point group `arp_runtime.agents`."""
    install(folder, "my-dist", entry_points={"arp_runtime.agents": {"mine": "my_agents:agent"}})
    sys.path.insert(0, str(folder))
    assert load_agent("mine").workplace is Workplace.LOOP
    with pytest.raises(AgentNotLoadableError, match=r"or one of: default, .*mine"):
        load_agent("yours")


def test_a_package_that_is_installed_later_is_found(folder: Path) -> None:
    """What is installed is remembered only until a folder of the path changes: the process may be an old template."""
    sys.path.insert(0, str(folder))
    os.utime(folder, (0, 0))
    with pytest.raises(AgentNotLoadableError, match="or one of: default"):
        load_agent("mine")
    install(folder, "my-dist", entry_points={"arp_runtime.agents": {"mine": "my_agents:agent"}})
    assert load_agent("mine").workplace is Workplace.LOOP


def test_a_name_that_two_packages_offer_is_refused(folder: Path) -> None:
    """With what to write instead."""
    for number, target in enumerate(("my_agents:agent", "my_agents:Made")):
        install(folder, f"dist-{number}", entry_points={"arp_runtime.agents": {"mine": target}})
    sys.path.insert(0, str(folder))
    with pytest.raises(AgentNotLoadableError, match="write one of my_agents:Made and my_agents:agent"):
        load_agent("mine")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nothing", "write module:attribute, ./file.py:attribute, command:PROGRAM, or one of: default"),
        ("my_agents:", "write module:attribute"),
        (":agent", "write module:attribute"),
        ("./my_agents.py", "say what in that file is the agent: ./my_agents.py:agent"),
        ("./nowhere.py:agent", ": there is no file /"),
        ("no_such_module:agent", ": there is no module 'no_such_module', neither in /"),
        ("needy.inner:agent", "ModuleNotFoundError: No module named 'a_module_that_nobody_has' ("),
        ("json.inner:agent", ": there is no module 'json.inner', neither in /"),
        ("needy:agent", "No module named 'a_module_that_nobody_has' ("),
        ("needy:agent", "needy.py, line 1)"),
        ("my_agents:nobody", "my_agents has no 'nobody'; it has: agent, Made"),
        ("empty:agent", "it has no function or class of its own"),
        ("my_agents:number", "that is int"),
        ("broken:agent", "ZeroDivisionError: division by zero ("),
        ("./broken.py:agent", "broken.py, line 3)"),
        ("unreadable:agent", "unreadable.py, line 1)"),
        ("./quitting.py:agent", "SystemExit: 3"),
        ("./json.py:agent", "another module is called 'json' already; rename the file"),
        ("./my_agents.txt:agent", "there is no file"),
    ],
)
def test_a_name_that_means_no_agent_is_refused_with_place_and_cure(folder: Path, name: str, why: str) -> None:
    """The message begins with what was written, and is one line."""
    with pytest.raises(AgentNotLoadableError) as caught:
        load_agent(name)
    message = str(caught.value)
    assert message.startswith(f"--agent {name}: ")
    assert why in message
    assert "\n" not in message


def test_a_file_that_failed_to_load_can_be_loaded_when_it_is_mended(folder: Path) -> None:
    """Nothing half-made stays behind."""
    with pytest.raises(AgentNotLoadableError):
        load_agent("./broken.py:agent")
    (folder / "broken.py").write_text("def agent(context): ...\n")
    assert load_agent("./broken.py:agent").workplace is Workplace.THREAD
