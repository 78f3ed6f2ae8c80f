"""The results as tables in Markdown. Pure."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.rows import ROWS
from benchmarks.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.results import Results
    from benchmarks.rows import Aim, Row
    from benchmarks.verdicts import Verdict


def render(results: Results) -> str:
    """Everything: where it was measured, the table of rows, the table of CPU time."""
    rows = [row for row in ROWS if row.name in results.figures]
    return "\n\n".join([_where(results), _rows_table(results, rows), _cpu_table(results, rows)]) + "\n"


def shortfalls(results: Results) -> Iterator[str]:
    """A sentence for each aim that is not met."""
    for row in ROWS:
        for aim in row.aims:
            verdict = judge(aim, results.figures.get(row.name, {}))
            if verdict is not None and not verdict.met:
                of, against = row.series[aim.of], row.series.get(aim.against or "")
                what = f"{of} / {against}" if against else of
                yield filled(f"{row.name}: {what} is {_value(row, verdict)}, aim {_bound(row, verdict)}", results)


def _where(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    return (
        f"Measured {results.began_at:%Y-%m-%d %H:%M} UTC on {machine.cores} cores ({machine.processor}, "
        f"{machine.system}), load {machine.load_before} before. Python {machine.python}; {versions}. "
        f"Medians of {results.effort.repetitions} repetitions, the lowest and the highest in brackets."
    )


def _rows_table(results: Results, rows: Sequence[Row]) -> str:
    lines = ["| what | measured | ratio | aim | |", "|---|---|---|---|---|"]
    for row in rows:
        measured = "<br>".join(_series(row, results))
        verdicts = [verdict for aim in row.aims if (verdict := judge(aim, results.figures[row.name]))]
        ratios = "<br>".join(_ratio(row, verdict) for verdict in verdicts)
        aims = "<br>".join(_bound(row, verdict) for verdict in verdicts)
        met = "<br>".join("met" if verdict.met else "**short**" for verdict in verdicts)
        lines.append(filled(f"| **{row.what}**<br>{row.how} | {measured} | {ratios} | {aims} | {met} |", results))
    return "\n".join(lines)


def _cpu_table(results: Results, rows: Sequence[Row]) -> str:
    lines = ["| CPU time in µs | of | for each | processes |", "|---|---|---|---|"]
    for row in rows:
        for series, processes in results.cpu.get(row.name, {}).items():
            spent = ", ".join(f"{name} {_spread(values)}" for name, values in processes.items() if median(values))
            lines.append(filled(f"| {row.name} | {row.series[series]} | {row.per} | {spent} |", results))
    return "\n".join(lines)


def _series(row: Row, results: Results) -> Iterator[str]:
    for name, label in row.series.items():
        values = results.figures[row.name].get(name)
        if values:
            yield f"{label}: {_spread(values)} {row.unit}"


def _spread(values: Sequence[float]) -> str:
    middle = number(median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def _ratio(row: Row, verdict: Verdict) -> str:
    if verdict.aim.against is None:
        return f"{number(verdict.value)} {row.unit}"
    return f"{number(verdict.value)} x {row.series[verdict.aim.against]}"


def _value(row: Row, verdict: Verdict) -> str:
    return number(verdict.value) if verdict.aim.against else f"{number(verdict.value)} {row.unit}"


def _bound(row: Row, verdict: Verdict) -> str:
    return bound(verdict.aim) + ("" if verdict.aim.against else f" {row.unit}")


def bound(aim: Aim) -> str:
    """The bound of an aim, without a unit."""
    sign, limit = ("≥", aim.at_least) if aim.at_least is not None else ("≤", aim.at_most)
    assert limit is not None
    if limit < 1 and (1 / limit).is_integer():
        return f"{sign} 1/{1 / limit:.0f}"
    return f"{sign} {limit:,.6g}"


def filled(text: str, results: Results) -> str:
    """The text with the numbers of the effort in the places for them."""
    return text.format(**msgspec.structs.asdict(results.effort))


def number(value: float) -> str:
    """Three digits that mean something, or all that stand before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
