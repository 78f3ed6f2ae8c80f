"""Ids: what clients may choose, and what the service assigns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_sdk._run_ids import new_run_id
from arp_service.errors import InvalidRequestError
from arp_service.ids import ID_PATTERN, check_id, new_id


@pytest.mark.parametrize("value", ["a", "run_1", "A.b-C_9", "x" * 128, "0"])
def test_letters_digits_and_three_marks_make_an_id(value: str) -> None:
    """Ids of up to 128 unreserved characters are taken as they are."""
    assert check_id(value, "$.run_id") == value


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "a..b", "a/b", "a:b", "a b", "a\n", "-a", ".a", "x" * 129, "é", "a\0", "a%2Fb", "r1:cancel"],
)
def test_what_would_need_escaping_is_refused(value: str) -> None:
    """An id that cannot stand in a path or a file name is refused, and the place is named."""
    with pytest.raises(InvalidRequestError, match=r"\$\.run_id"):
        check_id(value, "$.run_id")


@given(st.text(max_size=140))
def test_the_pattern_and_the_check_agree(value: str) -> None:
    """The published pattern says exactly what is accepted."""
    fits = re.fullmatch(ID_PATTERN.removesuffix("$"), value) is not None
    try:
        check_id(value, "id")
    except InvalidRequestError:
        assert not fits
    else:
        assert fits


def test_new_ids_are_valid_distinct_and_sort_by_age() -> None:
    """Assigned ids are well-formed, never the same, and a later millisecond sorts later."""
    ids = [new_id("run") for _ in range(500)]
    assert len(set(ids)) == 500
    assert all(check_id(i, "id") for i in ids)
    stamps = [i[:14] for i in ids]
    assert stamps == sorted(stamps)


def test_ids_that_clients_make_are_like_those_that_a_daemon_assigns() -> None:
    """So runs sort by their age, whoever named them."""
    before, mine = new_id("run"), new_run_id()
    assert re.fullmatch(ID_PATTERN, mine)
    assert len(mine) == len(before)
    assert before[:13] <= mine[:13] <= new_id("run")[:13]
    assert set(mine[4:]) <= set("0123456789abcdefghjkmnpqrstvwxyz")
