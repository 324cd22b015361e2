"""Plots as SVG, of a few shapes and no library: each row or line has its median, and its quartiles as a thin line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.figures import Bars, Spread

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 760, 230, 90, 30, 58
_STYLE = (
    "text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold;font-size:14px}.unit{fill:#57606a;font-size:12px}"
    "rect{fill:#0969da}rect.peer{fill:#8c959f}line{stroke:#24292f;stroke-width:1.5}"
)


def bars(plot: Bars) -> str:
    """A horizontal bar for each row; ours, the first, has a colour of its own. Long ranges have a logarithmic axis."""
    middles = [spread[0] for _, spread in plot.rows]
    is_logarithmic = max(middles) > 30 * min(middles)
    height = _TOP + _ROW * len(plot.rows) + 12
    place = _axis(min(middles), max(spread[2] for _, spread in plot.rows), is_logarithmic)
    unit = f"{plot.unit}, logarithmic" if is_logarithmic else plot.unit
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
        f' role="img" aria-label="{escape(plot.title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" style="fill:#fff"/>',
        f'<text class="title" x="12" y="22">{escape(plot.title)}</text>',
        f'<text class="unit" x="12" y="42">{escape(unit)}</text>',
    ]
    for number, (label, spread) in enumerate(plot.rows):
        lines += _row(_TOP + _ROW * number, label, spread, [place(value) for value in spread], is_ours=number == 0)
    return "\n".join([*lines, "</svg>", ""])


def _axis(least: float, most: float, is_logarithmic: bool):  # type: ignore[no-untyped-def]
    length = _WIDTH - _LEFT - _RIGHT
    if not is_logarithmic:
        return lambda value: _LEFT + length * value / most
    first = math.log10(least) - 0.3
    return lambda value: _LEFT + length * max(0.0, math.log10(value) - first) / (math.log10(most) - first)


def _row(top: float, label: str, spread: Spread, places: Sequence[float], *, is_ours: bool) -> list[str]:
    middle, lower, upper = places
    centre = top + _ROW / 2 - 4
    kind = "" if is_ours else ' class="peer"'
    return [
        f'<text x="{_LEFT - 10}" y="{centre + 5:.0f}" text-anchor="end">{escape(label)}</text>',
        f'<rect{kind} x="{_LEFT}" y="{top:.0f}" width="{middle - _LEFT:.1f}" height="{_ROW - 8}"/>',
        f'<line x1="{lower:.1f}" x2="{upper:.1f}" y1="{centre:.1f}" y2="{centre:.1f}"/>',
        f'<text x="{max(middle, upper) + 8:.1f}" y="{centre + 5:.0f}">{_number(spread[0])}</text>',
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
