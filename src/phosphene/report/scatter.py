"""Maps of points as inline SVG: a shape and a colour for every group, or the points' pictures."""

from __future__ import annotations

import base64

from phosphene.report.markup import escape
from phosphene.report.model import Point, Scatter
from phosphene.report.palette import COLOURS

_SIDE, _TITLE, _MARGIN, _LEGEND_LINE = 480.0, 30.0, 24.0, 20.0
_THUMBNAIL = 22.0
_SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M-4 -4h8v8h-8z",
    "M0 -5l5 9h-10z",
    "M0 -5l5 5l-5 5l-5 -5z",
    "M-5 -4h10l-5 9z",
    "M-5 -1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
)


def scatter(figure: Scatter) -> str:
    """An SVG element with every point, and a legend of the groups."""
    groups = list(dict.fromkeys(point.group for point in figure.points))
    height = _TITLE + _SIDE + _LEGEND_LINE * len(groups) + 8
    parts = [
        f'<svg class="plot" role="img" viewBox="0 0 {_SIDE:g} {height:g}">',
        f"<title>{escape(figure.title)}</title>",
        f"<desc>{escape(described(figure))}</desc>",
        '<text x="4" y="18" style="fill:currentColor;font-size:13px">'
        f"{escape(figure.title)}</text>",
    ]
    if figure.points:
        xs, ys = [point.x for point in figure.points], [point.y for point in figure.points]
        wide, high = (max(values) - min(values) or 1.0 for values in (xs, ys))
        inside = _SIDE - 2 * _MARGIN
        for point in figure.points:
            x = _MARGIN + (point.x - min(xs)) / wide * inside
            y = _TITLE + _MARGIN + (max(ys) - point.y) / high * inside
            parts.append(_mark(point, x, y, groups.index(point.group)))
    for index, name in enumerate(groups):
        y = _TITLE + _SIDE + _LEGEND_LINE * index
        parts.append(f'<path d="{_shape(index)}" transform="translate(16 {y:g})" {_fill(index)}/>')
        parts.append(
            f'<text x="30" y="{y + 4:g}" style="fill:currentColor;font-size:13px">'
            f"{escape(name)}</text>"
        )
    return "\n".join([*parts, "</svg>"])


def described(figure: Scatter) -> str:
    """How many points each group has, in words."""
    groups = list(dict.fromkeys(point.group for point in figure.points))
    counts = [
        f"{name}: {sum(point.group == name for point in figure.points)} points." for name in groups
    ]
    return " ".join(["A map without units.", *counts, figure.note]).strip()


def _mark(point: Point, x: float, y: float, index: int) -> str:
    label = escape(f"{point.group}: {point.label}" if point.label else point.group)
    if point.picture is None:
        return (
            f'<path d="{_shape(index)}" transform="translate({x:.1f} {y:.1f})" {_fill(index)}>'
            f"<title>{label}</title></path>"
        )
    data = base64.b64encode(point.picture).decode("ascii")
    half = _THUMBNAIL / 2
    colour = f"var(--curve-{index % 6 + 1},{COLOURS[index % 6]})"
    return (
        f'<g><image x="{x - half:.1f}" y="{y - half:.1f}" width="{_THUMBNAIL:g}" '
        f'height="{_THUMBNAIL:g}" href="data:image/png;base64,{data}"/>'
        f'<rect x="{x - half:.1f}" y="{y - half:.1f}" width="{_THUMBNAIL:g}" '
        f'height="{_THUMBNAIL:g}" style="fill:none;stroke-width:2;stroke:{colour}"/>'
        f"<title>{label}</title></g>"
    )


def _shape(index: int) -> str:
    return _SHAPES[index % len(_SHAPES)]


def _fill(index: int) -> str:
    slot = index % len(COLOURS)
    return f'style="fill:var(--curve-{slot + 1},{COLOURS[slot]});fill-opacity:0.75"'


__all__ = ["described", "scatter"]
