"""Drawing: every kind is visible, senses look different, speed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from phosphene.data.world import (
    KINDS,
    SENSES,
    Phrasing,
    Scene,
    Split,
    Thing,
    World,
    caption,
    contact_sheet,
    draw,
    draw_all,
)
from phosphene.data.world.lexicon import ACTIONS, COLOURS, PEOPLE, PLACES
from phosphene.data.world.scene import Person

_BOX = (14.0, 16.0, 52.0, 54.0)


def _exhibit(kind: str, place: str = "snow", flipped: bool = False) -> Scene:
    thing = Thing(kind, "red", "large", (_BOX,), flipped)
    chosen = next(each for each in PLACES if each == place)
    return Scene(chosen, (thing,), None, None, Phrasing(0, place=True), 0)


def _difference(a: Scene, b: Scene) -> float:
    """Share of the box whose pixels clearly differ."""
    x0, y0, x1, y1 = (int(edge) for edge in _BOX)
    gap = np.abs(draw(a).astype(int) - draw(b).astype(int)).max(axis=2) > 60
    return float(gap[y0:y1, x0:x1].mean())


def test_a_picture_is_64_by_64_rgb() -> None:
    picture = draw(_exhibit("dog"))
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    assert draw_all([]).shape == (0, 64, 64, 3)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PEOPLE])
def test_a_thing_fills_its_box_and_shows_its_colour(kind: str) -> None:
    picture = draw(_exhibit(kind)).astype(int)
    empty = draw(replace(_exhibit(kind), things=(replace(_exhibit(kind).focus, boxes=()),)))
    changed = np.abs(picture - empty).max(axis=2) > 40
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert rows[0] >= 14
    assert columns[0] >= 12
    assert rows[-1] <= 55
    assert columns[-1] <= 53
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) >= 30  # of 38 pixels
    red = (picture[..., 0] > 150) & (picture[..., 1] < 90) & (picture[..., 2] < 90)
    assert red.sum() > 60


def test_every_two_kinds_look_different() -> None:
    things = [kind for kind in KINDS if kind not in PEOPLE]
    for a, b in combinations(things, 2):
        assert _difference(_exhibit(a), _exhibit(b)) > 0.1, (a, b)


def test_the_two_senses_of_a_noun_look_very_different() -> None:
    for a, b in SENSES.values():
        for flipped in (False, True):
            assert _difference(_exhibit(a), _exhibit(b, flipped=flipped)) > 0.2, (a, b)


def test_places_and_colours_show() -> None:
    shown = [draw(_exhibit("ball", place)).tobytes() for place in PLACES]
    thing = _exhibit("ball").focus
    coloured = [
        draw(replace(_exhibit("ball"), things=(replace(thing, colour=colour),))).tobytes()
        for colour in COLOURS
    ]
    assert len(set(shown)) == len(PLACES)
    assert len(set(coloured)) == len(COLOURS)


def test_people_differ_by_who_they_are_and_what_they_do() -> None:
    base = _exhibit("ball")
    views = {
        (who, action): draw(
            replace(base, person=Person(who, "blue", action, (4.0, 14.0, 26.0, 60.0), False))
        ).astype(int)
        for who in PEOPLE
        for action in ACTIONS
    }
    for (one, a), (other, b) in combinations(views.items(), 2):
        changed = (np.abs(a - b).max(axis=2) > 60).sum()
        assert changed >= (12 if one[1] == other[1] else 40), (one, other)


def test_flipping_mirrors_the_thing() -> None:
    """In a symmetrical box the flipped drawing is the mirror image."""
    box = (14.0, 16.0, 50.0, 54.0)
    for kind in ("dog", "bow_archery", "crane_machine"):
        scene = _exhibit(kind)
        one = draw(replace(scene, things=(replace(scene.focus, boxes=(box,)),)))
        two = draw(replace(scene, things=(replace(scene.focus, boxes=(box,), flipped=True),)))
        red = [(p[..., 0] > 150) & (p[..., 1] < 90) for p in (one.astype(int), two.astype(int))]
        assert (red[0][:, 14:50] != red[1][:, 14:50][:, ::-1]).mean() < 0.1
        assert (red[0] != red[1]).sum() > 50


_RACE = """
import time
from phosphene.data.world import Part, Split, World, draw_all
world = World(9)
start = time.process_time()
assert draw_all(world.scenes(Split.ORDINARY, range(2000), Part.TEACHER)).shape == (2000, 64, 64, 3)
print(time.process_time() - start)
"""


def test_two_thousand_scenes_are_drawn_within_four_seconds() -> None:
    """About 0.5 s on an idle core; run apart, because shape checks slow everything down here."""
    done = subprocess.run([sys.executable, "-c", _RACE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 4


def test_contact_sheet_has_a_cell_per_scene() -> None:
    scenes = World(1).scenes(Split.ORDINARY, range(5))
    sheet = contact_sheet(scenes, [caption(scene, "en") for scene in scenes], columns=3)
    assert sheet.size == (3 * 136, 2 * 186)
    corner = np.asarray(sheet)[4:132, 4:132]
    assert np.array_equal(corner[::2, ::2], draw(scenes[0]))
    with pytest.raises(ValueError, match="expected 5 captions"):
        contact_sheet(scenes, ["one"])
