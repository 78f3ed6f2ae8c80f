"""Charts of bars and dots as SVG, in colours that can be read on light and dark pages. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WIDTH = 960
_LEFT, _RIGHT = 330, 780
"""Where bars begin, and where the longest ends: labels stand before, figures behind."""
_TOP, _LINE, _GAP = 84, 26, 18
_BAR = 16
_STYLE = """
    svg { --page: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
          --ours: #0969da; --yardstick: #8c959f; --good: #1a7f37; --short: #bc4c00; }
    @media (prefers-color-scheme: dark) {
      svg { --page: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --line: #3d444d;
            --ours: #4493f8; --yardstick: #6e7681; --good: #3fb950; --short: #f0883e; }
    }
    text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 14px;
           fill: var(--soft); }
    .page { fill: var(--page); }
    .title { font-size: 18px; font-weight: 600; fill: var(--ink); }
    .group { font-weight: 600; fill: var(--ink); }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .ours { fill: var(--ours); } .yardstick { fill: var(--yardstick); }
    .good { fill: var(--good); } .short { fill: var(--short); }
    .line { stroke: var(--line); stroke-width: 1; } .aim { stroke: var(--ink); stroke-width: 1.5; }
    .spread { stroke: var(--ink); stroke-width: 1.25; }
"""


@dataclass(frozen=True)
class Bar:
    """A figure with its lowest and highest; `text` is how it is told. `kind` is `ours` or `yardstick`."""

    label: str
    value: float
    low: float
    high: float
    text: str
    kind: str


@dataclass(frozen=True)
class Group:
    """Bars of one scale, under a heading."""

    title: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Dot:
    """How a figure stands to its aim: 1 is the aim, 2 twice as good."""

    label: str
    value: float
    text: str


def bar_chart(title: str, note: str, groups: Sequence[Group]) -> str:
    """Horizontal bars from nought; each group has a scale of its own."""
    parts: list[str] = []
    y = _TOP
    for group in groups:
        parts.append(_text(24, y + 13, group.title, "group"))
        y += _LINE
        longest = max(bar.high for bar in group.bars) or 1.0
        for bar in group.bars:
            parts += _bar(bar, y, (_RIGHT - _LEFT) / longest)
            y += _LINE
        y += _GAP
    return _picture(title, note, y, parts)


def dot_chart(title: str, note: str, dots: Sequence[Dot]) -> str:
    """Dots on a scale of powers of two, with a line at the aim."""
    reach = max(1, *(math.ceil(abs(math.log2(dot.value))) for dot in dots))
    middle, step = (_LEFT + _RIGHT) / 2, (_RIGHT - _LEFT) / 2 / reach
    bottom = _TOP + _LINE * (len(dots) + 1)
    parts = []
    for power in range(-reach, reach + 1):
        x = middle + power * step
        parts.append(f'<path class="{"line" if power else "aim"}" d="M{x:.0f} {_TOP + 20} V{bottom}"/>')
        if power % max(1, reach // 4) == 0:
            parts.append(_text(x, _TOP + 8, "aim" if power == 0 else _times(power), "middle"))
    for number, dot in enumerate(dots, 1):
        y = _TOP + _LINE * number + 13
        x, kind = middle + math.log2(dot.value) * step, "good" if dot.value >= 1 else "short"
        parts.append(_text(_LEFT - 12, y + 5, dot.label, "end"))
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y}" r="6"/>')
        parts.append(_text(_RIGHT + 14, y + 5, dot.text))
    return _picture(title, note, bottom + _GAP, parts)


def _bar(bar: Bar, y: float, scale: float) -> Iterator[str]:
    length = max(bar.value * scale, 1.5)
    middle = y + _BAR / 2
    yield _text(_LEFT - 12, y + 13, bar.label, "end")
    yield f'<rect class="{bar.kind}" x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
    if bar.high > bar.low:
        low, high = _LEFT + bar.low * scale, _LEFT + bar.high * scale
        yield f'<path class="spread" d="M{low:.1f} {middle} H{high:.1f} M{low:.1f} {y + 4} v8 M{high:.1f} {y + 4} v8"/>'
    yield _text(_LEFT + max(bar.high * scale, length) + 10, y + 13, bar.text)


def _times(power: int) -> str:
    return f"{2**power}x" if power > 0 else f"1/{2**-power}"


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _picture(title: str, note: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" '
        f'height="{height:.0f}" role="img" aria-labelledby="title desc">'
    )
    return "\n".join(
        [
            head,
            f'  <title id="title">{escape(title)}</title>',
            f'  <desc id="desc">{escape(note)}</desc>',
            f"  <style>{_STYLE}  </style>",
            f'  <rect class="page" width="{_WIDTH}" height="{height:.0f}" rx="12"/>',
            f"  {_text(24, 38, title, 'title')}",
            f"  {_text(24, 60, note)}",
            *(f"  {part}" for part in parts),
            "</svg>\n",
        ]
    )
