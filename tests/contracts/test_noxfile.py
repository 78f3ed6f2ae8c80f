"""The promises of noxfile.py to somebody who has Python and git and nothing else."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.tree import ROOT, parse, read

NOXFILE = Path("noxfile.py")
PROMISED = {
    "bench",
    "codegen",
    "conformance",
    "coverage",
    "demo",
    "docs",
    "faults",
    "imports",
    "lint",
    "local-model",
    "tests",
    "types",
}
SESSION = re.compile(r"nox\.session(?:\(name='([\w-]+)'\))?")
TEST_COMMAND = "python3 noxfile.py -s tests"


def session_names() -> set[str]:
    """Their functions' names; a session with another name says so in its decorator."""
    functions = [node for node in parse(NOXFILE).body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    decorators = {function.name: ast.unparse(function.decorator_list[0]) for function in functions}
    named = {name: SESSION.fullmatch(decorator) for name, decorator in decorators.items()}
    return {match[1] or name for name, match in named.items() if match}


def run_as(version: tuple[int, int, int]) -> subprocess.CompletedProcess[str]:
    """Run noxfile.py in a Python that says it is of another version."""
    code = f"import runpy, sys; sys.version_info = {version}; runpy.run_path('noxfile.py', run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


def test_promised_sessions_exist() -> None:
    """Every session that the documents promise is there."""
    assert session_names() >= PROMISED


def test_contributing_explains_every_session() -> None:
    """Nobody has to read the noxfile to learn what it offers."""
    contributing = read(Path("CONTRIBUTING.md"))
    assert {name for name in session_names() if f"`{name}`" not in contributing} == set()


@pytest.mark.parametrize("document", ["README.md", ".ci/run", "CONTRIBUTING.md"])
def test_ci_and_documents_give_the_same_test_command(document: str) -> None:
    """What a newcomer types is what CI runs."""
    assert TEST_COMMAND in read(Path(document))


def test_ci_script_can_be_run() -> None:
    """`.ci/run` is executable."""
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111 == 0o111


def test_an_old_python_is_told_the_cure() -> None:
    """A Python before 3.11 gets one clear line that names the version it is and the one it takes."""
    answer = run_as((3, 9, 2))
    assert answer.returncode == 1
    assert answer.stderr.startswith("Python 3.11 or newer is needed, and this is 3.9.")
    assert len(answer.stderr.splitlines()) == 1


def test_an_old_python_can_read_the_noxfile_that_far() -> None:
    """The noxfile's syntax is old enough for an old Python to reach the line that says so."""
    ast.parse(read(NOXFILE), feature_version=(3, 7))
