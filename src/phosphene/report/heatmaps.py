"""Heat maps as inline SVG: one colour whose opacity is the value, read in the dark too."""

from __future__ import annotations

from phosphene.report.markup import escape
from phosphene.report.model import HeatMap

_CELL, _HEADER, _TITLE = 18.0, 96.0, 30.0
_LETTER = 7.0


def heat_map(figure: HeatMap) -> str:
    """An SVG element with a square for every cell; its text alternative names the strongest ones.

    The darkest square is the greatest value of this map.
    """
    left = 24 + _LETTER * max((len(name) for name in figure.rows), default=0)
    width = left + _CELL * len(figure.columns) + 16
    height = _TITLE + _HEADER + _CELL * len(figure.rows) + 8
    top = _TITLE + _HEADER
    parts = [
        f'<svg class="plot" role="img" viewBox="0 0 {max(width, 320):g} {height:g}">',
        f"<title>{escape(figure.title)}</title>",
        f"<desc>{escape(strongest(figure))}</desc>",
        '<text x="4" y="18" style="fill:currentColor;font-size:13px">'
        f"{escape(figure.title)}</text>",
    ]
    for column, name in enumerate(figure.columns):
        x = left + _CELL * (column + 0.7)
        parts.append(
            f'<text transform="translate({x:.1f} {top - 6:.1f}) rotate(-60)" '
            f'style="fill:currentColor;font-size:11px">{escape(name)}</text>'
        )
    greatest = _greatest(figure)
    for row, (name, values) in enumerate(zip(figure.rows, figure.values, strict=True)):
        y = top + _CELL * row
        parts.append(
            f'<text x="{left - 6:.1f}" y="{y + 13:.1f}" text-anchor="end" '
            f'style="fill:currentColor;font-size:11px">{escape(name)}</text>'
        )
        for column, value in enumerate(values):
            label = escape(f"{name}, {figure.columns[column]}: {value:.3f}")
            parts.append(
                f'<rect x="{left + _CELL * column:.1f}" y="{y:.1f}" width="{_CELL - 1:g}" '
                f'height="{_CELL - 1:g}" style="fill:var(--curve-1,#0072b2);'
                f'fill-opacity:{max(value, 0.0) / greatest:.3f};stroke:var(--grid,#ccc)">'
                f"<title>{label}</title></rect>"
            )
    return "\n".join([*parts, "</svg>"])


def strongest(figure: HeatMap) -> str:
    """For every row the column of its greatest value, in words."""
    sentences = [f"{figure.row_label} by {figure.column_label}; greatest of each row."]
    for name, values in zip(figure.rows, figure.values, strict=True):
        if values:
            best = max(range(len(values)), key=values.__getitem__)
            sentences.append(f"{name}: {figure.columns[best]} ({values[best]:.2f}).")
    return " ".join(sentences)


def _greatest(figure: HeatMap) -> float:
    greatest = max((value for row in figure.values for value in row), default=0.0)
    return greatest if greatest > 0 else 1.0


__all__ = ["heat_map", "strongest"]
