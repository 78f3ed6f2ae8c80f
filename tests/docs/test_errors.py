"""docs/errors.md lists every code there is, and says of each what the code says."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import arp_daemon
import arp_runtime
import arp_service
from arp_daemon.launcher.errors import LauncherError
from arp_service.errors import ServiceError
from contracts.tree import list_python, parse, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

T = TypeVar("T")
MAKES_AN_ERROR = re.compile(r"\b(AgentError|Arp\w*Error|super\(\)\.__init__)$")
# Told in a sentence and not in a table: no run ends with it.
NEVER_AN_END = {"instance_unreachable"}


def table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without back ticks."""
    section = read(Path("docs/errors.md")).partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def import_all(*packages: ModuleType) -> None:
    """Import every module, so that every class is known."""
    for package in packages:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def subclasses(class_: type[T]) -> Iterator[type[T]]:
    """A class, and all that derive from it."""
    yield class_
    for child in class_.__subclasses__():
        yield from subclasses(child)


def codes_in(package: str) -> set[str]:
    """The codes that a package's modules write down: `code="..."`, or first in a call that makes an error."""
    trees = [parse(path) for path in list_python("packages") if package in path.parts]
    return {code for tree in trees for node in ast.walk(tree) for code in codes_of(node)}


def codes_of(node: ast.AST) -> Iterator[str]:
    """The codes that one node of a syntax tree has."""
    found: list[ast.expr | None] = []
    if isinstance(node, ast.keyword) and node.arg == "code":
        found = [node.value]
    elif isinstance(node, ast.arguments):
        found = [d for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if a.arg == "code"]
    elif isinstance(node, ast.Call) and MAKES_AN_ERROR.search(ast.unparse(node.func)):
        found = list(node.args[:1])
    for value in found:
        text = value.value if isinstance(value, ast.Constant) else None
        if isinstance(text, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", text):
            yield text


def test_answers_are_listed_with_status_and_retryable() -> None:
    """The table of answers has the code, status and retryable of every error that a service answers with."""
    import_all(arp_service, arp_daemon, arp_runtime)
    listed = {(code, int(status), retryable == "yes") for code, status, retryable, *_ in table("Answers")}
    assert listed == {(e.code, e.status, bool(e.retryable)) for e in subclasses(ServiceError)}


def test_ends_of_runs_are_listed() -> None:
    """The table of ends has every code that runtime, default agent and daemon end a run with."""
    listed = {row[0] for row in table("Ends of runs")}
    assert listed == codes_in("arp_runtime") | codes_in("arp_daemon") - NEVER_AN_END


def test_starts_of_instances_are_listed() -> None:
    """The table of starts has every code of the launcher."""
    assert {row[0] for row in table("Starts of instances")} == {e.code for e in subclasses(LauncherError)}


def test_errors_of_the_sdk_are_listed() -> None:
    """The table of the SDK has every code that it makes itself."""
    assert {row[0] for row in table("Errors of the SDK")} == codes_in("arp_sdk")


def test_every_code_has_a_meaning() -> None:
    """No row of a table says nothing, and no code stands twice in one table."""
    for heading in ("Answers", "Ends of runs", "Starts of instances", "Errors of the SDK"):
        rows = table(heading)
        assert len(rows) == len({row[0] for row in rows})
        assert [row for row in rows if not re.search(r"\w+ \w+", " ".join(row[1:]))] == []
