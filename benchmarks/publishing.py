"""Putting results into the documents: the tables between two marks in docs/performance.md, and the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plots import Picture, pictures
from benchmarks.report import render
from benchmarks.results import write_results

if TYPE_CHECKING:
    from benchmarks.results import Results

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "performance.md"
KEPT = ROOT / "benchmarks" / "results.json"
"""The results that the document shows."""

_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def publish(results: Results) -> None:
    """Keep these results, and show them."""
    write_results(results, KEPT)
    for picture in pictures(results):
        (DOCUMENT.parent / _place(picture)).write_text(picture.svg, encoding="utf-8")
    DOCUMENT.write_text(with_figures(DOCUMENT.read_text(encoding="utf-8"), results), encoding="utf-8")


def with_figures(document: str, results: Results) -> str:
    """The document with these figures in place of those that it has."""
    before, _, rest = document.partition(_BEGIN)
    _, _, behind = rest.partition(_END)
    shown = "\n\n".join(f"![{picture.title}]({_place(picture)})" for picture in pictures(results))
    return f"{before}{_BEGIN}\n\n{shown}\n\n{render(results)}\n{_END}{behind}"


def _place(picture: Picture) -> str:
    """Seen from the document."""
    return f"pictures/performance-{picture.name}.svg"
