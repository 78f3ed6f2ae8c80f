"""Which runs a client means, read from a query or from a body. Both use the same names. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from arp_daemon.store import RunFilter
from arp_model import AwareDatetime, RunState
from arp_service.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import QueryParams

    from arp_model import RunCancelRequest

LABEL_PATTERN = r"^[^=\u0000]+=[^\u0000]*$"
"""One label as a filter names it, `NAME=VALUE`; as a JSON Schema `pattern`."""

_encoder = msgspec.json.Encoder(order="sorted")


def filter_of_query(query: QueryParams) -> RunFilter:
    """Read `state` and `label`, which may be repeated, `runtime_profile`, `created_after` and `created_before`.

    Raises:
        InvalidRequestError: one of them makes no sense; the message names it.
    """
    return _make(
        place="",
        states=[_state(text) for text in query.getlist("state")],
        runtime_profile=_once(query, "runtime_profile"),
        labels=query.getlist("label"),
        created_after=_query_time(query, "created_after"),
        created_before=_query_time(query, "created_before"),
    )


def filter_of_body(body: RunCancelRequest) -> RunFilter:
    """Read the same from a decoded body.

    Raises:
        InvalidRequestError: as `filter_of_query`.
    """
    return _make(
        place="$.",
        states=[] if body.state is UNSET else body.state,
        runtime_profile=None if body.runtime_profile is UNSET else body.runtime_profile,
        labels=[] if body.label is UNSET else body.label,
        created_after=None if body.created_after is UNSET else body.created_after,
        created_before=None if body.created_before is UNSET else body.created_before,
    )


def fingerprint(wanted: RunFilter) -> str:
    """A short name of a filter: the same for equal ones, in whatever order their parts came."""
    return blake2b(_encoder.encode(wanted), digest_size=8).hexdigest()


def _make(
    *,
    place: str,
    states: Iterable[RunState],
    runtime_profile: str | None,
    labels: Iterable[str],
    created_after: datetime | None,
    created_before: datetime | None,
) -> RunFilter:
    return RunFilter(
        states=tuple(sorted(set(states), key=list(RunState).index)),
        runtime_profile=runtime_profile,
        labels=_labels(labels, f"{place}label"),
        created_after=_utc(created_after, f"{place}created_after"),
        created_before=_utc(created_before, f"{place}created_before"),
    )


def _once(query: QueryParams, name: str) -> str | None:
    given = query.getlist(name)
    if len(given) > 1:
        raise InvalidRequestError(f"{name}: give it once.")
    return given[0] if given else None


def _state(text: str) -> RunState:
    try:
        return RunState(text)
    except ValueError:
        raise InvalidRequestError(f"state: use {', '.join(RunState)}.") from None


def _labels(given: Iterable[str], place: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals or "\0" in text:
            raise InvalidRequestError(f"{place}: write NAME=VALUE.")
        if labels.setdefault(name, value) != value:
            raise InvalidRequestError(f"{place}: no run has two values of {name!r}.")
    return labels


def _query_time(query: QueryParams, name: str) -> datetime | None:
    text = _once(query, name)
    if text is None:
        return None
    try:
        time: datetime = msgspec.convert(text, AwareDatetime)
    except msgspec.ValidationError:
        raise InvalidRequestError(
            f"{name}: use a time with its zone, such as 2026-01-31T12:00:00Z (a + in it is sent as %2B)."
        ) from None
    return time


def _utc(time: datetime | None, place: str) -> datetime | None:
    try:
        return None if time is None else time.astimezone(timezone.utc)
    except OverflowError:
        raise InvalidRequestError(f"{place}: no such time in UTC.") from None
