"""Heat maps and maps of points: drawn, described, escaped, kept as JSON."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from phosphene.recipes.probe_files import figure_record, restore_figure
from phosphene.report.heatmaps import heat_map, strongest
from phosphene.report.model import Curve, Figure, HeatMap, Plot, Point, Report, Scatter
from phosphene.report.page import render_page
from phosphene.report.scatter import described, scatter


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, format="PNG")
    return stream.getvalue()


HEAT = HeatMap("Who <asks>", "region", "word", ("1", "2"), ("a", "dog"), ((0.1, 0.9), (0.5, 0.5)))
MAP = Scatter(
    "Map", (Point(0.0, 0.0, "seen", "a dog", png()), Point(1.0, 2.0, "made", "a dog")), "axes"
)
PLOT = Plot("Curve", "x", "y", (Curve("c", ((0, 1.0), (1, 2.0))),))


def test_the_strongest_cells_are_said_in_words_and_are_the_darkest() -> None:
    assert "1: dog (0.90)" in strongest(HEAT)
    drawn = heat_map(HEAT)
    assert "fill-opacity:1.000" in drawn and "fill-opacity:0.111" in drawn
    assert "Who &lt;asks&gt;" in drawn and "<asks>" not in drawn
    empty = HeatMap("t", "r", "c", ("1",), ("a",), ((0.0,),))
    assert "fill-opacity:0.000" in heat_map(empty)


def test_points_are_drawn_as_pictures_or_shapes_and_counted() -> None:
    drawn = scatter(MAP)
    assert drawn.count("data:image/png;base64,") == 1
    assert drawn.count("<title>made: a dog</title>") == 1
    assert described(MAP) == "A map without units. seen: 1 points. made: 1 points. axes"
    assert "<svg" in scatter(Scatter("nothing", ()))


@pytest.mark.parametrize("figure", [HEAT, MAP, PLOT])
def test_figures_survive_json_and_stand_in_a_page(figure: Figure) -> None:
    again = restore_figure(json.loads(json.dumps(figure_record(figure))))
    assert again == figure
    page = render_page([Report("probe", "signed", plots=(again,))])
    assert "<figure>" in page and "<details>" in page


def test_wrong_figures_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows, 1 names"):
        HeatMap("t", "r", "c", ("1",), ("a",), ((0.0,), (1.0,)))
    with pytest.raises(ValueError, match="expected 1 values in each row"):
        HeatMap("t", "r", "c", ("1",), ("a",), ((0.0, 1.0),))
    with pytest.raises(ValueError, match="needs a text that describes it"):
        Point(0.0, 0.0, "a", "", png())
    with pytest.raises(ValueError, match="no figure is a 'Film'"):
        restore_figure({"kind": "Film"})
