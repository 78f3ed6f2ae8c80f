"""The habits that no linter knows, checked on the files themselves."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from contracts.tree import ROOT, list_files, list_python, parse, read

MAX_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_BYTES = 500_000
NAMELESS = {"utils", "util", "common", "helpers", "helper", "misc"}
PACKAGES = sorted(path.parent for path in (ROOT / "packages").glob("*/pyproject.toml"))
INTERNAL = {"arp-model", "arp-standard-py", "arp-service", "arp-runtime", "arp-daemon", "arp-cli"}
# Written in parts, so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w./}])/(?:" + "|".join(["work", "root", "tmp", "home", "Users"]) + r")/\w")


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def imported_names(tree: ast.Module) -> set[str]:
    """Every dotted name that a module imports: modules, and what it takes from them."""
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return plain | {f"{node.module}.{alias.name}" for node in taken for alias in node.names}


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    """A hand-written Python file has at most 400 lines."""
    assert {p: n for p in list_python() if (n := read(p).count("\n")) > MAX_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """A function has at most 60 lines."""
    assert [
        f"{path}:{node.lineno} {node.name}"
        for path in list_python()
        for node in functions(parse(path))
        if (node.end_lineno or 0) - node.lineno > MAX_FUNCTION_LINES
    ] == []


def test_no_module_is_a_drawer_for_everything() -> None:
    """A module is named for what it is about."""
    assert [path for path in list_python() if {path.stem, path.parent.name} & NAMELESS] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    """Code and documents hold no path that exists on one machine alone."""
    assert [
        f"{path}:{number}"
        for path in list_files()
        for number, line in enumerate(read(path).splitlines(), 1)
        if MACHINE_PATH.search(line)
    ] == []


def test_no_file_is_large() -> None:
    """A checkout stays small: no file is over 500 kB."""
    assert [path for path in list_files() if (ROOT / path).stat().st_size > MAX_BYTES] == []


def test_every_test_says_what_is_expected() -> None:
    """Each test has a docstring with the behaviour that it expects."""
    assert [
        f"{path}:{node.lineno} {node.name}"
        for path in list_python("tests", "conformance")
        if path.name.startswith("test_")
        for node in functions(parse(path))
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ] == []


def test_tests_wait_for_facts_and_never_for_time() -> None:
    """No test sleeps, except for nothing, which only lets others run."""
    sleeps = [
        f"{path}:{node.lineno}"
        for path in list_python("tests", "conformance")
        if path.name.startswith("test_") or path.name == "conftest.py"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep"
        if not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert sleeps == []


def test_tests_use_the_real_thing() -> None:
    """No test imports a mock library."""
    assert [
        path
        for path in list_python("tests", "conformance")
        if any(re.match(r"(unittest\.)?mock\b|pytest_mock\b", name) for name in imported_names(parse(path)))
    ] == []


def test_no_gap_hides_behind_a_skipped_test() -> None:
    """A known gap is pinned by a passing test; only a platform that lacks something skips one (`skipif`)."""
    hidden = {"pytest.mark.skip", "pytest.mark.xfail", "pytest.xfail"}
    assert [
        f"{path}:{node.lineno}"
        for path in list_python("tests", "conformance")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in hidden
    ] == []


def test_conformance_shares_no_code_with_what_it_judges() -> None:
    """The conformance suite imports none of our packages, so that a shared bug cannot cancel out."""
    assert [
        path
        for path in list_python("conformance")
        if any(name.split(".")[0].startswith("arp_") for name in imported_names(parse(path)))
    ] == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_is_complete(package: Path) -> None:
    """A package has a README, a licence, type information and a public surface that is written down."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert (package / project["readme"]).stat().st_size
    assert project["license"] == "MIT"
    [module] = (package / "src").iterdir()
    assert (module / "py.typed").is_file()
    assert "__all__" in (module / "__init__.py").read_text()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_takes_no_namesake_for_one_of_ours(package: Path) -> None:
    """Each dependency on another of our packages has a floor: no earlier release under its name is ours."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    ours = [d for d in project["dependencies"] if re.split(r"[^\w-]", d)[0] in INTERNAL]
    assert [dependency for dependency in ours if ">=1.0.0" not in dependency] == []


def test_changelog_names_every_package() -> None:
    """The changelog has an entry for each package that is released."""
    changelog = read(Path("CHANGELOG.md"))
    names = [tomllib.loads((p / "pyproject.toml").read_text())["project"]["name"] for p in PACKAGES]
    assert [name for name in names if f"`{name}`" not in changelog] == []
