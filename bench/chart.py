"""Two kinds of chart as SVG text: bars with their spread, and lines over a logarithmic scale.

No library: a page needs some rectangles, lines and words. Colours are readable on light and dark.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 900
_BAR_HEIGHT: Final = 26
_LABEL_WIDTH: Final = 390
_VALUE_WIDTH: Final = 90
_TOP: Final = 44
_LINES_HEIGHT: Final = 360
_MARGIN: Final = 64
_COLOURS: Final = ("#3b7dd8", "#d8743b", "#3ba55d", "#a05bd0", "#8a8f98", "#c7a008")
_STYLE: Final = (
    "<style>text{font:13px system-ui,sans-serif;fill:#6b7280}"
    ".title{font-size:15px;font-weight:600}.axis{stroke:#9ca3af;stroke-width:1}"
    ".spread{stroke:#6b7280;stroke-width:1.5}</style>"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with the smallest and the largest that was measured; `ours` is coloured apart."""

    label: str
    value: float
    low: float
    high: float
    ours: bool = False


def bars(title: str, values: Sequence[Bar], digits: int) -> str:
    """Horizontal bars from zero."""
    room = _WIDTH - _LABEL_WIDTH - _VALUE_WIDTH
    scale = room / (max(bar.high for bar in values) or 1.0)
    parts = []
    for number, bar in enumerate(values):
        top = _TOP + number * _BAR_HEIGHT
        middle = top + _BAR_HEIGHT / 2
        low, high = (_LABEL_WIDTH + scale * each for each in (bar.low, bar.high))
        colour = _COLOURS[0] if bar.ours else _COLOURS[4]
        parts += [
            _text(_LABEL_WIDTH - 8, middle + 4, bar.label, "end"),
            _rectangle(_LABEL_WIDTH, top + 4, scale * bar.value, _BAR_HEIGHT - 8, colour),
            _line(low, middle, high, middle, "spread"),
            _text(high + 8, middle + 4, f"{bar.value:,.{digits}f}"),
        ]
    return _page(title, _TOP + len(values) * _BAR_HEIGHT + 12, parts)


def lines(
    title: str, x_name: str, series: Mapping[str, Sequence[tuple[float, float]]], digits: int
) -> str:
    """Points (x, y) joined by lines; x is logarithmic, y begins at zero."""
    every = [point for points in series.values() for point in points]
    first, last = (math.log10(pick(x for x, _ in every)) for pick in (min, max))
    top_value = max(y for _, y in every) or 1.0
    width, height = _WIDTH - 2 * _MARGIN, _LINES_HEIGHT - _TOP - _MARGIN

    def place(x: float, y: float) -> tuple[float, float]:
        along = (math.log10(x) - first) / ((last - first) or 1.0)
        return _MARGIN + width * along, _TOP + height * (1 - y / top_value)

    bottom = _TOP + height
    parts = [
        _line(_MARGIN, bottom, _MARGIN + width, bottom, "axis"),
        _line(_MARGIN, _TOP, _MARGIN, bottom, "axis"),
        _text(_MARGIN - 6, _TOP + 4, f"{top_value:,.{digits}f}", "end"),
        _text(_MARGIN - 6, bottom + 4, "0", "end"),
    ]
    parts += [
        _text(place(x, 0)[0], bottom + 18, f"{x:,.0f}", "middle")
        for x in sorted({x for x, _ in every})
    ]
    parts.append(_text(_MARGIN + width / 2, bottom + 36, x_name, "middle"))
    for number, (name, points) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        placed = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in placed]
        key = bottom + 56 + 18 * number
        parts.append(_rectangle(_MARGIN, key - 9, 12, 4, colour))
        parts.append(_text(_MARGIN + 20, key, name))
    return _page(title, _LINES_HEIGHT + 18 * len(series), parts)


def _page(title: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'width="{_WIDTH}" height="{height:.0f}" role="img" aria-label="{escape(title)}">'
    )
    heading = f'<text class="title" x="8" y="22">{escape(title)}</text>'
    return "\n".join((head, _STYLE, heading, *parts, "</svg>\n"))


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {where} fill="{colour}"/>'


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
