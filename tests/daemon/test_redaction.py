"""What must not be seen is not seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.redaction import Redactor, hide_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/simple", "https://****@host/simple"),
        ("https://token@host", "https://****@host"),
        ("https://a:p@ss@host:1/x", "https://****@host:1/x"),
        ("at https://h/x?token=t&b=c, sorry", "at https://h/x?**** sorry"),
        ("a @ git+https://tok@h/r@v1", "a @ git+https://****@h/r@v1"),
        ("two https://a:b@h and http://c:d@i", "two https://****@h and http://****@i"),
        ("https://host/a@b", "https://host/a@b"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_credentials_of_urls_are_hidden(text: str, shown: str) -> None:
    """User, password and query; the host stays."""
    assert hide_credentials(text) == shown


def test_a_redactor_hides_values_their_lines_and_their_json() -> None:
    """Output is cut between lines, and many programs log JSON."""
    redactor = Redactor()
    assert redactor.text("nothing known yet") == "nothing known yet"
    redactor.add(["-----BEGIN\nMIIabc\n-----END", 'quote"d', "größe-1"])
    assert redactor.text("last line: MIIabc") == "last line: ****"
    assert json.loads(redactor.text(json.dumps({"a": 'my quote"d', "b": "größe-1"}))) == {"a": "my ****", "b": "****"}


def test_plain_values_keep_their_shape() -> None:
    """Only texts change: a number that a secret looks like stays a number."""
    redactor = Redactor()
    assert redactor.value({"a": ["x"]}) == {"a": ["x"]}
    redactor.add(["2026", "secret"])
    given = {"seq": 2026, "my secret": [True, None, 1.5, {"deep": "in 2026"}]}
    assert redactor.value(given) == {"seq": 2026, "my ****": [True, None, 1.5, {"deep": "in ****"}]}


def test_of_two_values_that_begin_alike_the_whole_is_hidden() -> None:
    """The end of the longer one would say much."""
    redactor = Redactor()
    redactor.add(["secret", "secret-and-more"])
    assert redactor.text("secret-and-more, secret") == "****, ****"


def test_a_value_that_stands_everywhere_is_not_hidden() -> None:
    """Fewer than four characters say nothing, and would spoil every text."""
    redactor = Redactor()
    redactor.add(["1", "", "   \n  "])
    assert redactor.text("1 + 1 = 2") == "1 + 1 = 2"


@given(st.lists(st.text(min_size=4).filter(lambda s: len(s.strip()) >= 4), min_size=1), st.text(), st.text())
def test_no_value_is_left_in_any_text(values: list[str], before: str, after: str) -> None:
    """Whatever stands around it."""
    redactor = Redactor()
    redactor.add(values)
    for value in values:
        assert value not in redactor.text(before + value + after).replace("****", "\0")
