"""The command line of a service: what is wrong with it is said in a sentence, and its help teaches."""

from __future__ import annotations

import pytest

from arp_service.command_line import service_command_line


def _command_line(*words: str) -> None:
    app = service_command_line("arp-thing", "arp-service", "Does things.", [("arp-thing do x", "do x")])

    @app.command
    def do(what: str, /, *, often: int = 1, twice: bool = False) -> None:
        """Do it."""

    @app.command
    def rest() -> None:
        """Do nothing."""

    app(words)


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        (("do", "x", "--oftn", "2"), "Unknown option: --oftn.", "do"),
        (("do", "--oftn=2", "x"), "Unknown option: --oftn", "do"),
        (("do", "a", "b", "c", "--often", "2"), "What is 'b c' for? Several words need quotes.", "do"),
        (("do",), "WHAT requires an argument", "do"),
        (("do", "x", "--often", "some"), "--often", "do"),
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
    assert err.endswith(f"See `{' '.join(['arp-thing', *command.split(), '--help'])}`.\n")


def test_the_help_tells_of_every_command_and_gives_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """And where else options come from."""
    with pytest.raises(SystemExit):
        _command_line("--help")
    out = capsys.readouterr().out
    for words in ("│ do ", "Do it.", "│ rest ", "ARP_THING_", "\nExamples:\n\n  arp-thing do x  do x\n"):
        assert words in out
