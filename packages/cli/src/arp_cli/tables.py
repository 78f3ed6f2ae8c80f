"""Lists as tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from arp_cli.state_styles import state_text
from arp_cli.terminal_text import one_line
from arp_cli.times import format_age, format_duration, format_moment
from arp_sdk.models import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from arp_sdk.models import RunStatus, RuntimeInstance, RuntimeProfile, UnsetType

_NONE = "-"
_GAP = 2
# The last column is left out where less than this is left for it, in cells.
_MIN_LAST = 12


class Rows(NamedTuple):
    """What a table shows. Its last column is the least important, and gives way on a narrow terminal."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Text, ...]]


def table_lines(content: Rows, width: int) -> list[Text]:
    """Return the table for a terminal of `width` cells: all columns but the last in full, for ids are to be copied.

    The last one is cut, or left out where next to nothing of it would be left.
    """
    header = tuple(Text(name, "bold") for name in content.columns)
    rows = [header, *content.rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    left = width - sum(width + _GAP for width in widths[:-1])
    last = widths.pop()
    if left >= min(last, _MIN_LAST):
        widths.append(min(last, left))
    return [_line(row, widths) for row in rows]


def _line(row: tuple[Text, ...], widths: list[int]) -> Text:
    line = Text()
    for cell, width in zip(row, widths, strict=False):
        fitted = cell.copy()
        fitted.truncate(width, overflow="ellipsis", pad=True)
        line.append_text(fitted).append(" " * _GAP)
    line.rstrip()
    return line


def list_runs(runs: Iterable[RunStatus], now: datetime, *, ages: bool) -> Rows:
    """Runs, one a row. With `ages`, moments are told as people do, else as programs do."""
    return Rows(
        ("run", "state", "started", "duration", "instance"),
        [
            (
                _text(run.run_id),
                state_text(run.state),
                _moment(run.started_at, now, ages=ages),
                _duration(run, now),
                _text(run.runtime_instance_id),
            )
            for run in runs
        ],
    )


def list_instances(instances: Iterable[RuntimeInstance]) -> Rows:
    """Runtime instances, one a row; `runs` is how many runs each has, and how many it takes."""
    return Rows(
        ("instance", "state", "profile", "runs", "endpoint", "runtime"),
        [
            (
                _text(instance.instance_id),
                state_text(instance.state),
                _text(instance.runtime_profile),
                _load(instance.extensions),
                _text(instance.runtime_api_endpoint),
                _runtime(instance),
            )
            for instance in instances
        ],
    )


def list_profiles(profiles: Iterable[RuntimeProfile]) -> Rows:
    """Runtime profiles, one a row; `instances` is how many the daemon starts, at least and at most.

    It is followed by the state of a Python environment that is not ready; why one failed comes before the description.
    """
    return Rows(
        ("profile", "runtime", "instances", "description"),
        [
            (
                _text(profile.runtime_profile),
                _text(profile.runtime_name),
                _range(profile.extensions) + _unready(profile.extensions),
                _why_failed(profile.extensions) + _text(profile.description),
            )
            for profile in profiles
        ],
    )


def _text(value: Any) -> Text:
    return Text(_NONE, "dim") if value is UNSET or value == "" else Text(one_line(str(value)))


def _moment(moment: datetime | UnsetType, now: datetime, *, ages: bool) -> Text:
    if moment is UNSET:
        return _text(UNSET)
    return Text(format_age((now - moment).total_seconds()) if ages else format_moment(moment))


def _duration(run: RunStatus, now: datetime) -> Text:
    if run.started_at is UNSET:
        return _text(UNSET)
    end = now if run.ended_at is UNSET else run.ended_at
    return Text(format_duration((end - run.started_at).total_seconds()))


def _load(extensions: Any) -> Text:
    match extensions:
        case {"arp.runs": int(runs), "arp.concurrency": int(concurrency)}:
            return Text(f"{runs}/{concurrency}")
    return _text(UNSET)


def _runtime(instance: RuntimeInstance) -> Text:
    parts = (instance.runtime_name, instance.runtime_version)
    return _text(" ".join(part for part in parts if part is not UNSET))


def _range(extensions: Any) -> Text:
    """Without launch details a profile only labels registered instances."""
    match extensions:
        case {"arp.exec": {"max": int(most), **rest}}:
            return Text(f"{one_line(str(rest.get('min', 0)))}-{most}")
        case {"arp.exec": dict()}:
            return Text("0-1")
    return _text(UNSET)


def _unready(extensions: Any) -> Text:
    match extensions:
        case {"arp.environment": {"state": "building" | "failed" as state}}:
            return Text(f" {state}", "yellow")
    return Text()


def _why_failed(extensions: Any) -> Text:
    match extensions:
        case {"arp.environment": {"state": "failed", "error": str(error)}}:
            return Text(f"{one_line(error)} ", "red")
    return Text()
