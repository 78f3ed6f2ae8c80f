"""`arp-runtime init`: a project that works from the first moment."""

from __future__ import annotations

import os
import sys
import tomllib
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_runtime.commands.new_project import CannotInitError, write_project
from support.distributions import install

if TYPE_CHECKING:
    from pathlib import Path


async def _do(folder: Path, *command: str, **env: str) -> str:
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [sys.executable, "-m", *command], check=False, cwd=folder, env={**os.environ, **env}
        )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


async def test_a_new_project_runs_and_its_tests_pass(tmp_path: Path) -> None:
    """As it says itself, and under its name once it is installed."""
    said = await _do(tmp_path, "arp_runtime", "init", "my-agent")
    command = said.splitlines()[-1].split("arp-runtime run --agent ")[1].split()[0]
    project = tmp_path / "my-agent"
    assert (await _do(project, "arp_runtime", "run", "--agent", command, "Ada")) == "Hello, Ada!\n"
    assert "2 passed" in await _do(project, "pytest", "-q", "-p", "no:cacheprovider")
    (points,) = tomllib.loads((project / "pyproject.toml").read_text())["project"]["entry-points"].values()
    install(project / "src", "my-agent", entry_points={"arp_runtime.agents": points})
    path = str(project / "src")
    assert (await _do(tmp_path, "arp_runtime", "run", "--agent", "my-agent", "Bob", PYTHONPATH=path)) == "Hello, Bob!\n"


def test_a_projects_files_speak_of_it_alone(tmp_path: Path) -> None:
    """Nothing of the template is left in them."""
    project = write_project(tmp_path, "night-owl")
    files = {str(path.relative_to(project)): path.read_text() for path in project.rglob("*") if path.is_file()}
    assert sorted(files) == [
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/night_owl/__init__.py",
        "src/night_owl/agent.py",
        "tests/test_agent.py",
    ]
    assert [name for name, text in files.items() if "$" in text or "my-agent" in text] == []


@pytest.mark.parametrize("name", ["", "My-Agent", "a/b", "../up", "-a", "a--b", "class", "json", "arp-runtime"])
def test_a_name_that_no_package_may_have_is_refused(tmp_path: Path, name: str) -> None:
    """And nothing is written."""
    with pytest.raises(CannotInitError, match="init"):
        write_project(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    """The message names the folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("precious")
    with pytest.raises(CannotInitError, match="choose another name"):
        write_project(tmp_path, "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work.txt"]
