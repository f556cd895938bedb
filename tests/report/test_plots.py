"""Plots: right positions, honest gaps, words for whoever does not see them."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phosphene.report.model import Curve
from phosphene.report.plots import describe, line_plot, log_ticks, nice_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (3, 97, [0, 20, 40, 60, 80, 100]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (5, 5, [2, 3, 4, 5, 6, 7, 8]),
        (0, 0, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_by_hand(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


@given(st.floats(-1e12, 1e12, allow_subnormal=False), st.floats(-1e12, 1e12, allow_subnormal=False))
def test_ticks_enclose_the_values(one: float, two: float) -> None:
    low, high = sorted((one, two))
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), ticks[-1] - ticks[0])
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))


def test_a_line_is_where_its_values_are() -> None:
    svg = line_plot([Curve("loss", ((0.0, 0.0), (5.0, 10.0), (10.0, 5.0)))], "t", "x", "y")
    root = ElementTree.fromstring(svg)
    (polyline,) = root.iter("polyline")
    # The plot area is 64..608 wide and 36..272 high, and both axes go from 0 to 10.
    assert polyline.attrib["points"] == "64.0,272.0 336.0,36.0 608.0,154.0"
    assert len(list(root.iter("circle"))) == 3


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
@example(1e9, math.nextafter(1e9, 0))
def test_logarithmic_ticks_enclose_the_values(one: float, two: float) -> None:
    low, high = sorted((one, two))
    ticks = log_ticks(low, high)
    assert ticks[0] <= low * (1 + 1e-9) and ticks[-1] >= high * (1 - 1e-9)
    assert len(ticks) >= 2 and ticks == sorted(set(ticks))
    assert len(ticks) == 2 or (ticks[1] > low and ticks[-2] < high), "none more than needed"


def test_a_decade_is_as_wide_as_the_next() -> None:
    points = ((100.0, 0.0), (1000.0, 10.0), (10000.0, 5.0))
    svg = line_plot([Curve("accuracy", points)], "t", "x", "y", log_x=True)
    (polyline,) = ElementTree.fromstring(svg).iter("polyline")
    assert polyline.attrib["points"] == "64.0,272.0 336.0,36.0 608.0,154.0"


def test_a_gap_stays_a_gap() -> None:
    points = ((0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, math.inf), (4.0, 1.0), (5.0, 2.0))
    root = ElementTree.fromstring(line_plot([Curve("loss", points)], "t", "x", "y"))
    assert [len(line.attrib["points"].split()) for line in root.iter("polyline")] == [2, 2]


@pytest.mark.parametrize("points", [(), ((1.0, math.nan),), ((1.0, 2.0),), ((1.0, 2.0),) * 2])
def test_few_points(points: tuple[tuple[float, float], ...]) -> None:
    svg = line_plot([Curve("loss", points)], "t", "x", "y")
    ElementTree.fromstring(svg)
    assert "nan" not in svg
    assert ("no data" in svg) == (len(points) == 0 or math.isnan(points[0][1]))


def test_many_points_have_one_marker() -> None:
    curve = Curve("loss", tuple((float(x), math.sin(x / 50)) for x in range(500)))
    assert line_plot([curve], "t", "x", "y").count("<circle") == 1


def test_words_for_the_lines() -> None:
    curves = [Curve("BLEU", ((1000.0, 10.0), (2000.0, 42.5), (3000.0, 41.0))), Curve("none", ())]
    assert describe(curves, "updates", "score") == (
        "score over updates. BLEU: from 10 at 1,000 to 41 at 3,000, least 10, greatest 42.5. "
        "none: no data."
    )


def test_names_are_escaped_and_curves_differ_without_colour() -> None:
    curves = [Curve(f"<b>{index}</b> & co", ((0.0, 1.0), (1.0, index))) for index in range(6)]
    svg = line_plot(curves, "<t>", "<x>", '"y"')
    ElementTree.fromstring(svg)
    assert "<b>" not in svg
    dashes = set(re.findall(r"<polyline [^>]*stroke-dasharray:([^\"]*)", svg))
    assert len(dashes) == 6
