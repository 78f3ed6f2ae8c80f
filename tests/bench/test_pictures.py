"""The pictures of the benchmark, and the document that shows them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from benchmarks.plots import pictures
from benchmarks.publishing import DOCUMENT, KEPT, with_figures
from benchmarks.results import read_results
from benchmarks.rows import ROWS
from benchmarks.svg import Bar, Group, bar_chart

from bench.made_up import results_with


def test_a_bar_is_as_long_as_its_figure() -> None:
    """In proportion to the others of its group; another group has a scale of its own."""
    bars = [Bar(name, value, value, value, str(value), "ours") for name, value in (("a", 10.0), ("b", 5.0))]
    drawn = bar_chart("title", "note", [Group("one", bars), Group("other", bars[1:])])
    a, b, other = (float(width) for width in re.findall(r'<rect class="ours" .*width="([\d.]+)"', drawn))
    assert a == 2 * b == other


def test_pictures_are_whole_and_can_be_read_on_any_page() -> None:
    """Each is XML that says what it shows, has colours for dark pages, and escapes what it is given."""
    shown = list(pictures(results_with(7)))
    assert {picture.name for picture in shown} == {"aims", "runs", "growth", "watching"}
    for picture in shown:
        root = ET.fromstring(picture.svg)
        assert root.findtext("{*}title") == picture.title
        assert "prefers-color-scheme: dark" in picture.svg
    assert "a &lt; b" in bar_chart("a < b", "", [])


@pytest.mark.parametrize("value", [-3.0, 0.0, 1e-9, 1e9])
def test_every_figure_has_a_place_among_the_aims(value: float) -> None:
    """Also a delay that is none, and what is off the scale."""
    [aims] = [picture for picture in pictures(results_with(value)) if picture.name == "aims"]
    dots = [float(x) for x in re.findall(r'<circle .*cx="([-\d.]+)"', aims.svg)]
    assert len(dots) == sum(len(row.aims) for row in ROWS)
    assert all(300 < x < 800 for x in dots)


def test_the_document_shows_the_results_that_are_kept() -> None:
    """Nobody has edited a figure by hand: tables and pictures are those that the kept results give."""
    results, document = read_results(KEPT), DOCUMENT.read_text(encoding="utf-8")
    assert with_figures(document, results) == document
    for picture in pictures(results):
        file = DOCUMENT.parent / "pictures" / f"performance-{picture.name}.svg"
        assert file.read_text(encoding="utf-8") == picture.svg
