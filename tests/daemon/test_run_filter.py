"""Which runs a client means, from a query and from a body."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from arp_daemon.run_filter import filter_of_body, filter_of_query, fingerprint
from arp_daemon.store import ALL_RUNS, RunFilter
from arp_model import RunCancelRequest, RunState
from arp_service.errors import InvalidRequestError

_QUERY = (
    "state=running&state=queued&state=running&runtime_profile=p&label=team=search&label=url=a=b"
    "&created_after=2026-01-02T03:04:05Z&created_before=2026-01-02T04:04:05%2B01:00"
)
_NOON = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
_WANTED = RunFilter((RunState.QUEUED, RunState.RUNNING), "p", {"team": "search", "url": "a=b"}, _NOON, _NOON)


def test_query_and_body_say_the_same() -> None:
    """The same names, whatever their order, and times of any zone."""
    body = (
        b'{"label": ["url=a=b", "team=search"], "state": ["queued", "running"], "runtime_profile": "p",'
        b' "created_before": "2026-01-02T03:04:05Z", "created_after": "2026-01-02T02:04:05-01:00"}'
    )
    from_body = filter_of_body(RunCancelRequest.from_json(body))
    assert filter_of_query(QueryParams(_QUERY)) == from_body == _WANTED
    assert fingerprint(filter_of_query(QueryParams(_QUERY))) == fingerprint(from_body)
    assert filter_of_query(QueryParams("page_size=3")) == filter_of_body(RunCancelRequest()) == ALL_RUNS


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("state=done", "state"),
        ("state=", "state"),
        ("state=queued,running", "state"),
        ("runtime_profile=a&runtime_profile=b", "runtime_profile"),
        ("label=team", "label"),
        ("label==x", "label"),
        ("label=", "label"),
        ("label=a=b%00", "label"),
        ("label=a=1&label=a=2", "label"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-02", "created_after"),
        ("created_after=2026-01-02T03:04:05", "created_after"),
        ("created_after=2026-01-02T03:04:05 01:00", "created_after"),
        ("created_after=0001-01-01T00:00:00%2B10:00", "created_after"),
        ("created_before=9999-12-31T23:59:59-10:00", "created_before"),
        ("created_before=1&created_before=2", "created_before"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(query: str, place: str) -> None:
    """Instead of a list of other runs than were meant."""
    with pytest.raises(InvalidRequestError, match=f"^{place}: "):
        filter_of_query(QueryParams(query))


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"label": ["team"]}, "label"),
        ({"label": ["a=1", "a=2"]}, "label"),
        ({"created_after": "0001-01-01T00:00:00+10:00"}, "created_after"),
        ({"created_before": "9999-12-31T23:59:59-10:00"}, "created_before"),
    ],
)
def test_what_makes_no_sense_in_a_body_is_refused_by_its_place(body: dict[str, Any], place: str) -> None:
    """Written as for every body, from `$` on."""
    with pytest.raises(InvalidRequestError, match=rf"^\$\.{place}: "):
        filter_of_body(RunCancelRequest.from_dict(body))


@given(st.lists(st.tuples(st.sampled_from(["state", "label", "created_after", "runtime_profile"]), st.text())))
def test_nothing_but_a_refusal_comes_of_any_query(pairs: list[tuple[str, str]]) -> None:
    """Whatever stands in a query, it is a filter or a 400."""
    with suppress(InvalidRequestError):
        assert len(fingerprint(filter_of_query(QueryParams(pairs)))) == 16
