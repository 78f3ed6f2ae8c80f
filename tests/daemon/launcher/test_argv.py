"""From a spec to execve: placeholders and programs."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.launcher.argv import find_program, substitute
from arp_daemon.launcher.errors import InvalidSpecError, ProgramNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

_VALUES = {"host": "::1", "port": "80", "fd": "3"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("--bind={host}:{port}", "--bind=::1:80"),
        ("fd://{fd}", "fd://3"),
        ("{PORT} { port } {} {0} {port", "{PORT} { port } {} {0} {port"),
        ('{"port": {port}}', '{"port": 80}'),
        ("$port %port% {{fd}}", "$port %port% {3}"),
    ],
)
def test_only_the_three_placeholders_are_replaced(item: str, expected: str) -> None:
    """Design: `{host}`, `{port}` and `{fd}`; every other brace stays as it is."""
    assert substitute([item], _VALUES) == [expected]


@given(st.lists(st.text(string.ascii_lowercase + "{} ")))
def test_what_holds_no_placeholder_is_unchanged(argv: list[str]) -> None:
    """Words that mean nothing to the launcher reach the program as they are."""
    if not any(f"{{{name}}}" in item for name in _VALUES for item in argv):
        assert substitute(argv, {}) == argv


def test_a_value_is_not_looked_at_again() -> None:
    """What a placeholder was replaced with is no placeholder."""
    assert substitute(["{host}"], {"host": "{port}", "port": "80"}) == ["{port}"]


def test_a_missing_value_is_an_error() -> None:
    """A command that needs a port and gets none would fail later, and less clearly."""
    with pytest.raises(InvalidSpecError, match=r"\{fd\}"):
        substitute(["{host}", "{fd}"], {"host": "::1"})


def test_a_program_is_found_on_the_path_of_its_environment(tmp_path: Path) -> None:
    """The first executable file wins; others of its name, and relative folders, are passed over."""
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tool").write_text("")
    (tmp_path / "b" / "tool").chmod(0o700)
    (tmp_path / "c" / "tool").chmod(0o700)
    (tmp_path / "d" / "tool").mkdir(parents=True)
    path = ":".join(["", ".", *(str(tmp_path / folder) for folder in "dabc")])
    assert find_program("tool", {"PATH": path}, str(tmp_path / "c")) == str(tmp_path / "b" / "tool")


def test_a_name_with_a_slash_is_taken_from_the_folder_of_the_launch(tmp_path: Path) -> None:
    """As execve(2) would after chdir(2)."""
    (tmp_path / "tool").write_text("")
    (tmp_path / "tool").chmod(0o700)
    assert find_program("./tool", {}, str(tmp_path)) == str(tmp_path / "tool")
    assert find_program("/bin/sh", {}, str(tmp_path)) == "/bin/sh"
    with pytest.raises(ProgramNotFoundError, match=r"no executable file '\./other'"):
        find_program("./other", {"PATH": "/bin"}, str(tmp_path))
