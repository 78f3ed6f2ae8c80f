"""The command line of a service: what is wrong with it is said in a sentence, and its help teaches."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

import pytest

from arp_service.command_line import service_command_line

if TYPE_CHECKING:
    from pathlib import Path


def _command_line(*words: str) -> None:
    app = service_command_line("arp-thing", "arp-service", "Does things.", [("arp-thing do x", "do x")])

    @app.command
    def do(what: str, /, *, often: int = 1, twice: bool = False) -> None:
        """Do it."""

    @app.command
    def rest() -> None:
        """Do nothing."""

    app(words)


def _words_of_failure(*words: str) -> str:
    """All that it says, whether it ends with the words or after them."""
    stderr = io.StringIO()
    with redirect_stderr(stderr), pytest.raises(SystemExit) as caught:
        _command_line(*words)
    said = str(caught.value.code) if isinstance(caught.value.code, str) else stderr.getvalue()
    assert said.startswith("arp-thing: ")
    return said


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        (("do", "x", "--oftn", "2"), "Unknown option: --oftn.", "do"),
        (("do", "--oftn=2", "x"), "Unknown option: --oftn", "do"),
        (("do", "a", "b", "c", "--often", "2"), "What is 'b c' for? Several words need quotes.", "do"),
        (("do",), "WHAT requires an argument", "do"),
        (("do", "x", "--often", "some" * 40), "--often", "do"),
        (("do", "x", "--no-twice"), "Unknown option: --no-twice.", "do"),
        (("rset",), 'Did you mean "rest"?', ""),
    ],
)
def test_what_makes_no_sense_is_named(
    words: tuple[str, ...], message: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In plain words, with the command whose help tells more; exit code 2."""
    with pytest.raises(SystemExit) as caught:
        _command_line(*words)
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert err.startswith("arp-thing: ")
    assert message in err
    assert err.count("\n") == 2
    assert err.endswith(f"See `{' '.join(['arp-thing', *command.split(), '--help'])}`.\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[do]\noften = [", "/arp-thing.toml is no TOML: "),
        ("\udcff", "/arp-thing.toml is no TOML: "),
        ("[do]\noftn = 3", 'Unknown option: "[oftn]" from '),
        ("[do]\noften = 'some'", "/arp-thing.toml"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_is_wrong_in_the_config_file_is_named(
    text: str, message: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file, whether it is found or named."""
    (tmp_path / "arp-thing.toml").write_bytes(text.encode(errors="surrogateescape"))
    monkeypatch.chdir("/" if named else tmp_path)
    if named:
        monkeypatch.setenv("ARP_THING_CONFIG", str(tmp_path / "arp-thing.toml"))
    assert message in _words_of_failure("do", "x")


def test_a_config_file_that_is_named_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that nobody names need not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARP_THING_CONFIG", "nowhere.toml")
    place = tmp_path / "nowhere.toml"
    assert _words_of_failure("do", "x") == f"arp-thing: {place}: No such file or directory; ARP_THING_CONFIG names it."


def test_the_help_tells_of_every_command_and_gives_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """And where else options come from."""
    with pytest.raises(SystemExit):
        _command_line("--help")
    out = capsys.readouterr().out
    for words in ("│ do ", "Do it.", "│ rest ", "ARP_THING_", "\nExamples:\n\n  arp-thing do x  do x\n"):
        assert words in out
