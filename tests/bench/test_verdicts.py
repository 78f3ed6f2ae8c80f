"""What the benchmark makes of its figures."""

from __future__ import annotations

import pytest
from benchmarks.rows import Aim
from benchmarks.verdicts import judge, percentile, ratio
from hypothesis import given
from hypothesis import strategies as st


def test_a_ratio_is_taken_between_neighbours() -> None:
    """A machine that gets slower half-way makes both slower: what counts is each pair, and the median of the pairs."""
    assert ratio([100, 10, 120], [50, 5, 40]) == 2


def test_series_of_different_lengths_are_compared_by_their_medians() -> None:
    """A yardstick that takes long is measured fewer times."""
    assert ratio([1, 2, 3], [4, 4]) == 0.5


@pytest.mark.parametrize(
    ("aim", "value", "met"),
    [
        (Aim("ours", "peer", at_least=2), 2, True),
        (Aim("ours", "peer", at_least=2.1), 2, False),
        (Aim("ours", "peer", at_most=2), 2, True),
        (Aim("ours", "peer", at_most=1.9), 2, False),
        (Aim("ours", at_most=10), 10, True),
        (Aim("ours", at_least=11), 10, False),
    ],
)
def test_an_aim_bounds_a_ratio_or_a_figure_itself(aim: Aim, value: float, met: bool) -> None:
    """Where nothing is named to hold it against, the median is what is bounded."""
    verdict = judge(aim, {"ours": [10.0, 10.0], "peer": [5.0, 5.0]})
    assert verdict is not None
    assert (verdict.value, verdict.met) == (value, met)


def test_what_was_not_measured_is_not_judged() -> None:
    """With `--only` most is not there."""
    assert judge(Aim("ours", "peer", at_least=1), {"ours": [1.0]}) is None
    assert judge(Aim("ours", at_least=1), {}) is None


@given(st.lists(st.floats(0, 100), min_size=1), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_and_enough_are_below_it(values: list[float], percent: int) -> None:
    """So many of a hundred are no larger."""
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * percent / 100


def test_percentiles_of_the_numbers_to_a_hundred() -> None:
    """The nearest rank, without interpolation."""
    assert [percentile(range(1, 101), percent) for percent in (1, 50, 99, 100)] == [1, 50, 99, 100]
