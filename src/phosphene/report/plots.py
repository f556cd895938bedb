"""Line plots as inline SVG: no plotting library, no script, readable by screen readers.

Colours come from the page's custom properties (``--curve-1`` and so on), with a fallback, and each
curve also has its own dashes and marker labels, so that none is told by its colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phosphene.report.markup import escape
from phosphene.report.model import Curve, Real
from phosphene.report.palette import COLOURS

_WIDTH, _PLOT_HEIGHT = 640.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 32.0, 36.0, 48.0
_LEGEND_LINE = 20.0
_MAX_MARKERS = 60
_DASHES = ("none", "7 3", "2 3", "9 3 2 3", "12 4", "4 4")


@dataclass(frozen=True)
class _Axis:
    """A scale from values to positions, with its ticks."""

    ticks: Sequence[float]
    start: float
    end: float
    scale: Callable[[float], float] = float
    """What distances are proportional to: the value itself, or its logarithm."""

    def __call__(self, value: float) -> float:
        low, here, high = map(self.scale, (self.ticks[0], value, self.ticks[-1]))
        return self.start + (here - low) / (high - low) * (self.end - self.start)


def line_plot(
    series: Sequence[Curve], title: str, x_label: str, y_label: str, *, log_x: bool = False
) -> str:
    """An SVG element with one line per curve, axes, ticks and a legend.

    Points that are not finite interrupt their line. The text alternative (``<desc>``) gives each
    curve's first, last, least and greatest value.

    Args:
        series: the curves.
        title: above them.
        x_label: of the horizontal axis.
        y_label: of the vertical axis.
        log_x: the horizontal axis is logarithmic; every x has to be positive.
    """
    height = _PLOT_HEIGHT + _LEGEND_LINE * len(series)
    points = [point for curve in series for segment in curve.segments() for point in segment]
    parts = [
        f'<svg class="plot" role="img" viewBox="0 0 {_WIDTH:g} {height:g}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(describe(series, x_label, y_label))}</desc>",
        _text(_LEFT, 20, title, "plot-title"),
    ]
    if points:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        x_ticks, x_scale = (log_ticks, math.log10) if log_x else (nice_ticks, float)
        x_axis = _Axis(x_ticks(min(xs), max(xs)), _LEFT, _WIDTH - _RIGHT, x_scale)
        y_axis = _Axis(nice_ticks(min(ys), max(ys)), _PLOT_HEIGHT - _BOTTOM, _TOP)
        parts += _grid(x_axis, y_axis, x_label, y_label)
        for index, curve in enumerate(series):
            parts += _line(index, curve, x_axis, y_axis, x_label)
    else:
        parts.append(_text(_LEFT, _PLOT_HEIGHT / 2, "no data", "tick"))
    for index, curve in enumerate(series):
        parts += _legend(index, curve)
    return "\n".join([*parts, "</svg>"])


def describe(series: Sequence[Curve], x_label: str, y_label: str) -> str:
    """What the lines show, in words."""
    sentences = [f"{y_label} over {x_label}."]
    for curve in series:
        points = [point for segment in curve.segments() for point in segment]
        if not points:
            sentences.append(f"{curve.name}: no data.")
            continue
        values = [y for _, y in points]
        sentences.append(
            f"{curve.name}: from {_short(values[0])} at {_short(points[0][0])} "
            f"to {_short(values[-1])} at {_short(points[-1][0])}, "
            f"least {_short(min(values))}, greatest {_short(max(values))}."
        )
    return " ".join(sentences)


def nice_ticks(low: Real, high: Real, intervals: int = 5) -> list[float]:
    """Round values from at or below ``low`` to at or above ``high``, about ``intervals`` apart.

    Steps are 1, 2 or 5 times a power of ten. Limits that are equal, but for rounding, are widened.
    """
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / intervals
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: Real, high: Real) -> list[float]:
    """1, 2 and 5 times powers of ten from at or below ``low`` to at or above ``high``.

    >>> log_ticks(100, 900)
    [100.0, 200.0, 500.0, 1000.0]
    """
    # One power more on either side: logarithms are rounded.
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = sum(tick <= low for tick in ticks) - 1
    last = sum(tick < high for tick in ticks)
    return ticks[first : max(last, first + 1) + 1]


def _grid(x_axis: _Axis, y_axis: _Axis, x_label: str, y_label: str) -> list[str]:
    parts = []
    for value in y_axis.ticks:
        y = y_axis(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}" '
            'style="stroke:var(--grid,#ccc)"/>'
        )
        parts.append(_text(_LEFT - 8, y + 4, _short(value), "tick", "end"))
    parts += [
        _text(x_axis(value), _PLOT_HEIGHT - _BOTTOM + 18, _short(value), "tick", "middle")
        for value in x_axis.ticks
    ]
    middle = (_TOP + _PLOT_HEIGHT - _BOTTOM) / 2
    parts.append(_text((_LEFT + _WIDTH) / 2, _PLOT_HEIGHT - 8, x_label, "axis", "middle"))
    parts.append(
        f'<g transform="translate(14 {middle:.1f}) rotate(-90)">'
        f"{_text(0, 0, y_label, 'axis', 'middle')}</g>"
    )
    return parts


def _line(index: int, curve: Curve, x_axis: _Axis, y_axis: _Axis, x_label: str) -> list[str]:
    parts = []
    markers = [point for segment in curve.segments() for point in segment]
    for segment in curve.segments():
        path = " ".join(f"{x_axis(x):.1f},{y_axis(y):.1f}" for x, y in segment)
        parts.append(f'<polyline points="{path}" fill="none" style="{_stroke(index)}"/>')
    if len(markers) > _MAX_MARKERS:
        markers = markers[-1:]
    for x, y in markers:
        label = escape(f"{curve.name}: {_short(y)} at {x_label} {_short(x)}")
        parts.append(
            f'<circle cx="{x_axis(x):.1f}" cy="{y_axis(y):.1f}" r="3" '
            f'style="fill:{_colour(index)}"><title>{label}</title></circle>'
        )
    return parts


def _legend(index: int, curve: Curve) -> list[str]:
    y = _PLOT_HEIGHT + _LEGEND_LINE * index + 6
    return [
        f'<line x1="{_LEFT:g}" x2="{_LEFT + 36:g}" y1="{y:g}" y2="{y:g}" '
        f'style="{_stroke(index)}"/>',
        _text(_LEFT + 44, y + 4, curve.name, "legend"),
    ]


def _colour(index: int) -> str:
    slot = index % len(COLOURS)
    return f"var(--curve-{slot + 1},{COLOURS[slot]})"


def _stroke(index: int) -> str:
    dashes = _DASHES[index % len(_DASHES)]
    return f"stroke:{_colour(index)};stroke-width:2;stroke-dasharray:{dashes}"


def _text(x: Real, y: Real, text: str, name: str, anchor: str = "start") -> str:
    return (
        f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'style="fill:currentColor;font-size:13px">{escape(text)}</text>'
    )


def _short(value: float) -> str:
    """Up to four significant digits, thousands separated: ``12,000``, ``0.0012``, ``41.28``."""
    if value == 0:
        return "0"
    if abs(value) >= 1000 and abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.4g}"


__all__ = ["describe", "line_plot", "log_ticks", "nice_ticks"]
