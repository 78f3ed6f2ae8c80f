"""Page tokens and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from arp_service.errors import InvalidPageTokenError, InvalidRequestError
from arp_service.paging import page_token, read_page


def _request(query: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "headers": []})


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_token_brings_back_its_position(position: str) -> None:
    """What went into a token comes out of it."""
    page = read_page(_request(f"page_token={page_token('runs', position)}"), "runs")
    assert page.after == position


@pytest.mark.parametrize("token", ["", "x", "!!", "cnVuczo1MA==", "a" * 4000, page_token("profiles", "1"), "%ff"])
def test_a_token_of_another_list_or_none_is_refused(token: str) -> None:
    """A token that this list did not make is a 400 with its own code."""
    with pytest.raises(InvalidPageTokenError):
        read_page(_request(f"page_token={token}"), "runs")


@pytest.mark.parametrize("size", ["0", "1001", "-1", "x", "", "1.5", "٣", "99999999999999999999"])
def test_a_size_out_of_range_is_refused(size: str) -> None:
    """page_size is a whole number from 1 to 1000."""
    with pytest.raises(InvalidRequestError, match="page_size"):
        read_page(_request(f"page_size={size}"), "runs")
