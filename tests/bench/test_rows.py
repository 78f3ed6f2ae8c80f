"""The table of rows holds together, and its report says all of it."""

from __future__ import annotations

import msgspec
import pytest
from benchmarks.effort import QUICK
from benchmarks.groups import GROUPS
from benchmarks.report import number, render, shortfalls
from benchmarks.results import Results
from benchmarks.rows import ROWS

from bench.made_up import no_results, results_with


def test_every_row_is_measured_by_a_group() -> None:
    """And each group has rows, so that each can be asked for by name."""
    assert {row.group for row in ROWS} == set(GROUPS)
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_aims_are_about_what_is_measured() -> None:
    """Each bounds a series of its row, from one side, by itself or against another one."""
    for row in ROWS:
        assert row.aims
        for aim in row.aims:
            assert {aim.of, aim.against or aim.of} <= set(row.series), row.name
            assert (aim.at_least is None) is not (aim.at_most is None), row.name


def test_the_report_shows_every_row_and_series() -> None:
    """With the numbers of what was done in the places for them."""
    results = results_with(7)
    text = render(results)
    filled = [label.format(**msgspec.structs.asdict(QUICK)) for row in ROWS for label in row.series.values()]
    assert [label for label in filled if label not in text] == []
    assert "{" not in text.replace("{run_id}", "")
    assert "| daemon-runs | arp-daemon | run | arp-daemon 2,000 |" in text


def test_what_falls_short_is_said() -> None:
    """A sentence each; what is met, and what was not measured, is not in it."""
    said = list(shortfalls(results_with(7)))
    assert "daemon-runs: arp-daemon / arp-jarvis-daemon is 1.00, aim ≥ 45" in said
    assert [line for line in said if line.startswith("watcher-memory")] == []
    assert list(shortfalls(no_results())) == []


def test_results_are_kept_as_they_are() -> None:
    """JSON and back."""
    results = results_with(7)
    assert msgspec.json.decode(msgspec.json.encode(results), type=Results) == results


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (45, "45.0"), (3.14159, "3.14"), (0.04, "0.04"), (0.00123, "0.0012"), (0, "0.00")],
)
def test_numbers_have_the_digits_that_mean_something(value: float, text: str) -> None:
    """Three, or all that stand before the point."""
    assert number(value) == text
