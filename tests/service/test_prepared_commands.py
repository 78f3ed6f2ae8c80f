"""Command lines that are parsed before they are called, as a warm template does for its forks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from cyclopts import Parameter

from arp_service.command_line import service_command_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from arp_service.prepared_commands import CommandLine


_READ: list[str] = []


def _read(_type: Any, tokens: Any) -> str:
    _READ.append(tokens[0].value)
    return _READ[-1]


class _Scene:
    """A command `do`, which tells what it is called with."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int, int, str]] = []
        self.app: CommandLine = service_command_line("arp-thing", "arp-service", "Does.", [("arp-thing do", "do")])

        @self.app.command
        def do(
            what: Annotated[str, Parameter(converter=_read)] = "nothing",
            *,
            often: int = 1,
            loudly: int = 0,
            where: Annotated[str, Parameter(env_var="SOMEWHERE")] = "here",
        ) -> None:
            self.done.append((what, often, loudly, where))

    def call(self, *words: str) -> None:
        self.app(words, result_action="return_value")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Scene:
    """In an empty folder."""
    monkeypatch.chdir(tmp_path)
    _READ.clear()
    return _Scene()


def test_words_that_were_prepared_are_not_parsed_again(scene: _Scene) -> None:
    """However many command lines are prepared, and whichever is called."""
    scene.app.prepare("do", "x", "--often", "2")
    scene.app.prepare("do", "y")
    assert _READ == ["x", "y"]
    scene.call("do", "x", "--often", "2")
    scene.call("do", "y")
    assert scene.done == [("x", 2, 0, "here"), ("y", 1, 0, "here")]
    assert _READ == ["x", "y"]
    scene.call("do", "z")
    assert scene.done[-1] == ("z", 1, 0, "here")


@pytest.mark.parametrize(
    ("say", "done"),
    [
        (lambda patch: patch.setenv("ARP_THING_OFTEN", "3"), ("x", 3, 0, "here")),
        (lambda patch: patch.setenv("SOMEWHERE", "there"), ("x", 1, 0, "there")),
    ],
    ids=["named after the program", "named after nothing"],
)
def test_a_variable_of_the_call_counts(
    say: Callable[[pytest.MonkeyPatch], None],
    done: tuple[str, int, int, str],
    scene: _Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forks have environments of their own."""
    scene.app.prepare("do", "x")
    say(monkeypatch)
    scene.call("do", "x")
    assert scene.done == [done]


@pytest.mark.parametrize("named", [False, True])
def test_a_config_file_of_the_call_counts(
    named: bool, scene: _Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forks have folders of their own."""
    scene.app.prepare("do", "x")
    file = tmp_path / ("other.toml" if named else "arp-thing.toml")
    file.write_text("[do]\nloudly = 3\n")
    if named:
        monkeypatch.setenv("ARP_THING_CONFIG", str(file))
    scene.call("do", "x")
    assert scene.done == [("x", 1, 3, "here")]


@pytest.mark.parametrize("variable", [("ARP_THING_OFTEN", "5"), ("SOMEWHERE", "there")])
def test_nothing_of_the_preparing_process_counts(
    variable: tuple[str, str], scene: _Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its variables nor its folder are the call's."""
    with monkeypatch.context() as of_its_own:
        of_its_own.setenv(*variable)
        (tmp_path / "arp-thing.toml").write_text("[do]\nloudly = 4\n")
        scene.app.prepare("do", "x")
    (tmp_path / "arp-thing.toml").unlink()
    scene.call("do", "x")
    assert scene.done == [("x", 1, 0, "here")]


def test_parameters_are_kept_for_one_call(scene: _Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other words than were prepared, and with more than words: a second call takes nothing over."""
    scene.app.prepare("do")
    monkeypatch.setenv("ARP_THING_OFTEN", "2")
    (tmp_path / "arp-thing.toml").write_text("[do]\nloudly = 3\n")
    for words in (("do", "x"), ("do",)):
        scene.call(*words)
    assert scene.done == [("x", 2, 3, "here"), ("nothing", 2, 3, "here")]


def test_words_that_make_no_sense_are_complained_of_when_they_are_called(
    scene: _Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the process that is called so, not by the one that prepares it."""
    scene.app.prepare("do", "x", "--oftn", "2")
    assert capsys.readouterr() == ("", "")
    with pytest.raises(SystemExit):
        scene.call("do", "x", "--oftn", "2")
    assert "Unknown option: --oftn." in capsys.readouterr().err
