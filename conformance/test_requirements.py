"""The requirements and the tests know each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from conformance.requirements import load_requirements

_SERVICES = {"runtime", "daemon"}


def _exercised() -> set[str]:
    """The ids in the `requirement` marks of all tests, read from their source: also of those not run now."""
    marks = [
        node
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.requirement"
    ]
    return {str(ast.literal_eval(argument)) for mark in marks for argument in mark.args}


def test_every_requirement_is_exercised() -> None:
    """Each requirement is named by a test, and tests name no other."""
    assert _exercised() == {requirement.id for requirement in load_requirements()}


def test_requirements_are_told_apart() -> None:
    """An id is there once; each requirement says who must meet it, where it is written, and what it is."""
    found = load_requirements()
    assert len({requirement.id for requirement in found}) == len(found)
    for requirement in found:
        assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", requirement.id), requirement.id
        assert set(requirement.services) <= _SERVICES
        assert requirement.services
        assert requirement.source
        assert requirement.text.endswith(".")
