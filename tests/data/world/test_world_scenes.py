"""Scenes: determinism, splits, mirrored pairs, ground truth."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.data.world import (
    KINDS,
    RARE,
    SENSES,
    VISUAL_LABELS,
    Part,
    Scene,
    Split,
    World,
    ambiguous_nouns,
    boxes,
    caption,
    draw,
    region_kinds,
    swapped,
    tags,
    visual_labels,
)
from phosphene.data.world.lexicon import (
    ANIMALS,
    HINDI,
    JAPANESE,
    ORDINARY,
    PEOPLE,
    PORTABLE,
    SENSE_PLACES,
    SUPPORTS,
    WORDS,
)

streams = st.tuples(
    st.sampled_from(list(Split)), st.integers(0, 10_000), st.sampled_from(list(Part))
)
_DIGEST = """
import hashlib
from phosphene.data.world import Part, Split, World, caption, draw, question, question_text
digest = hashlib.sha256()
for split in Split:
    for index in (3, 1, 2):
        scene = World(5).scene(split, index, Part.TEST)
        digest.update(draw(scene).tobytes())
        digest.update(repr(scene).encode())
        digest.update(question_text(question(scene), "hi", 0).encode())
print(digest.hexdigest())
"""


def _digest(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", _DIGEST],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_two_processes_draw_the_same_bytes() -> None:
    assert _digest("1") == _digest("2")


@settings(max_examples=40, deadline=None)
@given(streams)
def test_a_scene_depends_on_its_seed_and_index_alone(
    stream: tuple[Split, int, Part],
) -> None:
    split, index, part = stream
    world = World(3)
    first = world.scene(split, index, part)
    world.scenes(split, range(5), part)
    again = World(3).scene(split, index, part)
    assert first == again
    assert np.array_equal(draw(first), draw(again))
    assert World(4).scene(split, index, part).key != first.key


def test_no_two_streams_share_a_scene() -> None:
    world = World(1)
    keys = Counter(
        world.scene(split, index, part).key
        for split in Split
        for part in Part
        for index in range(0, 60, 2)  # one of each mirrored pair
    )
    assert max(keys.values()) == 1


def test_pictures_of_train_and_test_never_coincide() -> None:
    world = World(1)

    def digests(part: Part) -> set[bytes]:
        scenes = world.scenes(Split.ORDINARY, range(150), part)
        return {hashlib.sha256(draw(scene).tobytes()).digest() for scene in scenes}

    train, test = digests(Part.TRAIN), digests(Part.TEST)
    assert len(train) == len(test) == 150
    assert not train & test


@settings(max_examples=80, deadline=None)
@given(streams)
def test_everything_is_inside_the_picture_and_named(stream: tuple[Split, int, Part]) -> None:
    split, index, part = stream
    scene = World(2).scene(split, index, part)
    found = boxes(scene)
    assert found.shape == (len(tags(scene)), 4)
    assert 1 <= len(found) <= 3
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (found[:, 2:] - found[:, :2] > 0.2).all()  # nothing is narrower than 13 pixels
    assert all("_" not in tag for tag in tags(scene))
    row = dict(zip(VISUAL_LABELS, visual_labels([scene])[0], strict=True))
    assert {kind for kind in KINDS if row[kind]} == set(region_kinds(scene))
    assert row[scene.place] == row[scene.focus.colour] == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 100_000))
def test_relations_are_where_the_boxes_are(index: int) -> None:
    scene = World(8).scene(Split.ORDINARY, index)
    if scene.relation is None:
        return
    (first,), (second,) = (thing.boxes for thing in scene.things)
    dx = (second[0] + second[2] - first[0] - first[2]) / 2
    dy = (second[1] + second[3] - first[1] - first[3]) / 2
    seen = {
        "left": dx > 15 > abs(dy),
        "right": dx < -15 and abs(dy) < 15,
        "above": dy > 15 > abs(dx),
        "below": dy < -15 and abs(dx) < 15,
        "on": dy > 10 and abs(first[3] - second[1]) <= 1 and scene.things[1].kind in SUPPORTS,
    }
    assert seen[scene.relation]


def test_ambiguous_nouns_by_language() -> None:
    both = ("bat", "seal", "glasses", "bow", "nut", "pipe", "palm", "trunk")
    assert ambiguous_nouns("de") == (*both, "crane")
    assert ambiguous_nouns("fr") == both
    assert ambiguous_nouns("en") == ()
    assert World(1).ambiguous == both
    assert World(1, ("de",)).ambiguous == (*both, "crane")


def test_each_split_keeps_its_promise() -> None:
    world = World(6)
    for index in range(120):
        for part in (Part.TRAIN, Part.TEST):
            assert world.scene(Split.ORDINARY, index, part).ambiguous_noun is None
            for split in (Split.AMBIGUOUS, Split.INFERABLE):
                scene = world.scene(split, index, part)
                assert scene.ambiguous_noun in world.ambiguous
                assert all(thing.kind in ORDINARY for thing in scene.things[1:])
                words = caption(scene, "en").split()
                assert sum(word in SENSES for word in words) == 1


def test_senses_are_balanced_in_training() -> None:
    """1,200 fair coins, and 1,200 dice of eight sides: four standard deviations."""
    for split in (Split.AMBIGUOUS, Split.INFERABLE):
        scenes = World(1).scenes(split, range(1200))
        first = [s.focus.kind == SENSES[s.ambiguous_noun or ""][0] for s in scenes]
        assert abs(np.mean(first) - 0.5) < 0.058
        nouns = Counter(scene.ambiguous_noun for scene in scenes)
        assert all(abs(count / 1200 - 1 / 8) < 0.039 for count in nouns.values())


def test_the_training_text_tells_no_sense_in_the_ambiguous_split() -> None:
    """Whatever word stands in the sentence, the first sense has half of the share."""
    with_word: dict[str, list[bool]] = {}
    for scene in World(1).scenes(Split.AMBIGUOUS, range(1500)):
        first = scene.focus.kind == SENSES[scene.ambiguous_noun or ""][0]
        for word in set(caption(scene, "en").split()):
            with_word.setdefault(word, []).append(first)
    for word, senses in with_word.items():
        deviation = abs(np.mean(senses) - 0.5) * 2 * len(senses) ** 0.5
        assert deviation < 4, word  # in standard deviations


def test_mirrored_pairs_differ_in_sense_alone() -> None:
    world = World(1)
    for index in range(60):
        first, second = world.mirrored(index)
        assert (first, second) == world.scenes(
            Split.AMBIGUOUS, (2 * index, 2 * index + 1), Part.TEST
        )
        assert SENSES[first.ambiguous_noun or ""] == (first.focus.kind, second.focus.kind)
        things = (replace(first.focus, kind=second.focus.kind), *first.things[1:])
        assert replace(first, things=things) == second
        assert caption(first, "en") == caption(second, "en")
        assert caption(first, "de") != caption(second, "de")
        assert caption(first, "fr") != caption(second, "fr")
        assert tags(first) == tags(second)
        assert np.abs(draw(first).astype(int) - draw(second)).max() > 100


def test_pairs_exist_in_valid_and_test_only() -> None:
    with pytest.raises(ValueError, match="valid or the test part, got 'train'"):
        World(1).mirrored(0, Part.TRAIN)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        World(1).scene(Split.ORDINARY, -1)


def test_in_the_inferable_split_noun_and_place_give_the_sense_away() -> None:
    sense: dict[tuple[str | None, str], str] = {}
    for scene in World(1).scenes(Split.INFERABLE, range(800)):
        assert scene.phrasing.place
        assert scene.place in SENSE_PLACES[scene.focus.kind]
        assert sense.setdefault((scene.ambiguous_noun, scene.place), scene.focus.kind) == (
            scene.focus.kind
        )
    assert len(sense) == 8 * 2 * 2


def test_no_place_belongs_to_both_senses() -> None:
    assert all(not set(SENSE_PLACES[a]) & set(SENSE_PLACES[b]) for a, b in SENSES.values())


def test_rare_nouns_are_captioned_often_and_translated_seldom() -> None:
    world = World(1)

    def share(part: Part) -> float:
        scenes = world.scenes(Split.LOW_RESOURCE, range(800), part)
        return float(np.mean([bool(set(region_kinds(scene)) & set(RARE)) for scene in scenes]))

    assert 0.004 < share(Part.TRAIN) < 0.04
    assert share(Part.CAPTIONED) > 0.25
    assert share(Part.TEST) == 1.0


@given(st.integers(2, 200), st.integers(0, 1000))
def test_swapped_moves_every_picture(count: int, seed: int) -> None:
    partner = swapped(count, seed)
    assert sorted(partner) == list(range(count))
    assert all(here != there for here, there in enumerate(partner))
    assert partner == swapped(count, seed)


def test_one_picture_cannot_be_swapped() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        swapped(1, 0)


def test_the_lexicon_is_complete() -> None:
    assert len(KINDS) == len(set(KINDS)) == 38
    assert len(ORDINARY) == 16
    assert set(KINDS[-4:]) == set(PEOPLE)
    assert set(HINDI) == set(JAPANESE) == set(KINDS) == set(WORDS["de"]) == set(WORDS["fr"])
    assert set(KINDS) > ANIMALS
    assert {*RARE, *SUPPORTS} <= set(ORDINARY)
    assert {*ORDINARY, *SENSES} >= PORTABLE


def _plots(scenes: tuple[Scene, ...]) -> Counter[str]:
    return Counter(scene.plot for scene in scenes)


def test_all_plots_and_actions_occur() -> None:
    scenes = World(1).scenes(Split.ORDINARY, range(500))
    assert min(_plots(scenes)[plot] for plot in ("handle", "move", "relate", "show")) > 90
    actions = Counter(scene.person.action for scene in scenes if scene.person is not None)
    assert set(actions) == {"hold", "watch", "run", "jump", "sit"}
    assert {scene.focus.count for scene in scenes} == {1, 2, 3}
