"""The results as pictures. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.report import bound, filled, number
from benchmarks.rows import ROWS, YARDSTICKS
from benchmarks.svg import Bar, Dot, Group, bar_chart, dot_chart
from benchmarks.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import Results
    from benchmarks.rows import Row
    from benchmarks.verdicts import Verdict

# Those of whose figures there is a picture, by its name.
_PICTURES = {
    "runs": ("Runs a second, and one run alone", ("daemon-runs", "runtime-runs", "one-run")),
    "growth": (
        "The daemon, by the runs that it has stored",
        ("growth-submit", "growth-list", "growth-status", "queue"),
    ),
    "watching": ("Events and their watchers", ("events", "watchers-one-by-one", "watchers-bursts", "watcher-memory")),
}
_BEST = 64.0
_AIMS = "What is measured, and what is aimed at"
_SPREAD = "The bar is the median of the repetitions; the thin line goes from the lowest to the highest."


class Picture(NamedTuple):
    """SVG, and what it shows in a few words."""

    name: str
    title: str
    svg: str


def pictures(results: Results) -> Iterator[Picture]:
    """Those of what has been measured."""
    if dots := list(_dots(results)):
        yield Picture("aims", _AIMS, dot_chart(_AIMS, "To the right of the line is better than the aim.", dots))
    for name, (title, rows) in _PICTURES.items():
        groups = [_group(row, results) for row in ROWS if row.name in rows and row.name in results.figures]
        if groups:
            yield Picture(name, title, bar_chart(title, _SPREAD, groups))


def _dots(results: Results) -> Iterator[Dot]:
    for row in ROWS:
        for aim in row.aims:
            verdict = judge(aim, results.figures.get(row.name, {}))
            if verdict is not None:
                label = f"{row.name}: {row.series[aim.of]}" if len(row.aims) > 1 and _differ(row) else row.name
                label += f" / {aim.against}" if aim.against else ""
                text = f"{number(verdict.value)}, aim {bound(aim)}"
                yield Dot(filled(label, results), _goodness(verdict), text)


def _differ(row: Row) -> bool:
    return len({aim.of for aim in row.aims}) > 1


def _goodness(verdict: Verdict) -> float:
    """1 where the aim is just met, 2 where it is twice as good, within what can be drawn."""
    aim = verdict.aim
    if aim.at_least is not None:
        good = verdict.value / aim.at_least
    else:
        assert aim.at_most is not None
        good = aim.at_most / verdict.value if verdict.value > 0 else _BEST
    return min(max(good, 1 / _BEST), _BEST)


def _group(row: Row, results: Results) -> Group:
    figures = results.figures[row.name]
    bars = [
        Bar(
            label=filled(label, results),
            value=median(values),
            low=min(values),
            high=max(values),
            text=number(median(values)),
            kind="yardstick" if series in YARDSTICKS else "ours",
        )
        for series, label in row.series.items()
        if (values := figures.get(series))
    ]
    return Group(filled(f"{row.what}, in {row.unit}", results), bars)
