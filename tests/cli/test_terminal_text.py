"""Text from a server: shown, never obeyed."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arp_cli.terminal_text import clean, compact, json_text, one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ünïcode 日本", "plain ünïcode 日本"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1bc\x1b(Breset", "reset"),
        ("a\rb\r\nc\u2028d", "a\nb\nc\nd"),
        ("tab\tstays", "tab\tstays"),
        ("bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
        ("\u202egnp.exe\u2066x", "gnp.exex"),
        ("cut off \x1b[2", "cut off 2"),
        ("[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
    ],
)
def test_text_keeps_its_letters_and_loses_what_a_terminal_obeys(text: str, expected: str) -> None:
    """Sequences go as a whole; letters, tabs and line ends stay."""
    assert clean(text) == expected


@settings(max_examples=50)
@given(st.text())
def test_no_control_character_survives_but_line_ends_and_tabs(text: str) -> None:
    """Whatever a server sends, no control character reaches the terminal."""
    assert {c for c in clean(text) if unicodedata.category(c) == "Cc"} <= {"\n", "\t"}


def test_a_long_text_is_cut_on_its_line_and_says_how_long_it_was() -> None:
    """A line for people stays one, however much an agent says."""
    line = one_line("a\nb" + "x" * 9997)
    assert line.startswith("a bxxx")
    assert line.endswith("… (10000 characters)")
    assert len(line) < 600


@settings(max_examples=50)
@given(st.dictionaries(st.text(), st.text()))
def test_json_parses_to_the_same_value_and_has_nothing_that_a_terminal_obeys(value: dict[str, str]) -> None:
    """`--json` is exact for programs and harmless on a terminal."""
    text = json_text(value, indent=2)
    assert json.loads(text) == value
    assert {c for c in text if unicodedata.category(c) == "Cc"} <= {"\n"}


def test_json_on_one_line_has_no_spaces() -> None:
    """Values within lines are compact."""
    assert compact({"a": [1, 2.5, None, True, "é"]}) == '{"a":[1,2.5,null,true,"é"]}'
