"""Secrets in output: hidden wherever it is cut, and nothing else changed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arp_daemon.launcher.hiding import Hiding
from arp_daemon.redaction import Redactor

# Few letters, so that values overlap with each other and with what is around them.
_TEXT = st.text("ab\n", max_size=30)
_VALUES = st.lists(st.text("ab", min_size=4, max_size=8), max_size=3)


def _hide(values: list[str], *pieces: str) -> str:
    hiding = Hiding(values)
    return b"".join([*(hiding.feed(piece.encode()) for piece in pieces), hiding.flush()]).decode()


@given(_VALUES, st.lists(_TEXT, max_size=8))
@example(["aaaa", "baaaab"], ["baaaab", "aaaa"])
def test_where_output_is_cut_does_not_matter(values: list[str], pieces: list[str]) -> None:
    """A value that straddles reads is hidden as one that comes whole, which is hidden as in events."""
    redactor = Redactor()
    redactor.add(values)
    assert _hide(values, *pieces) == _hide(values, "".join(pieces)) == redactor.text("".join(pieces))


@given(_VALUES, _TEXT)
@example(["aaaa", "baaaab"], "baaaabaaaa")
def test_no_value_is_ever_shown(values: list[str], text: str) -> None:
    """Whatever stands around it, and whether it comes whole or letter by letter."""
    for hidden in (_hide(values, text), _hide(values, *text)):
        assert not [value for value in values if value in hidden]


@pytest.mark.parametrize("cut", range(1, 12))
def test_of_two_values_that_begin_alike_the_whole_is_hidden(cut: int) -> None:
    """The end of the longer one does not stay when the shorter one is seen first."""
    text = "x abcdefgh y"
    assert _hide(["abcd", "abcdefgh"], text[:cut], text[cut:]) == "x **** y"


def test_what_cannot_begin_a_value_is_shown_at_once() -> None:
    """A prompt without a line break is not kept from who follows."""
    hiding = Hiding(["secret"])
    assert hiding.feed(b"name: ") == b"name: "
    assert hiding.feed(b"a sec") == b"a "
    assert hiding.feed(b"ond") == b"second"
    assert hiding.feed(b" sec") == b" "
    assert hiding.flush() == b"sec"


def test_values_over_several_lines_are_hidden_line_by_line_and_as_json() -> None:
    """As a program prints a key file, or logs it."""
    key = "begin-key\nfirst\nend-key"
    assert _hide([key], "begin-", "key\nfi", "rst\nend-key\n") == "****\n"
    assert _hide([key], "first\n") == "****\n"
    assert _hide([key], '{"key": "begin-key\\nfirst\\nend-key"}') == '{"key": "****"}'


def test_short_values_are_left_as_they_are() -> None:
    """As in events: hiding them would show where they are."""
    assert _hide(["abc", ""], "abcabc") == "abcabc"
