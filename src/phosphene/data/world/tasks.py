"""Classification of a picture with a sentence: three tasks that need both, or say when they do not.

Labels follow from the scene and the sentence by the rules written here, so the best score of a
classifier that sees only one of the two is known beforehand:

=============  ========================  ==================================================
task           labels                    best accuracy with one modality
=============  ========================  ==================================================
hostility      binary                    1/2 with either (every one has an exact confounder)
genres         eight yes-no labels       certain for the labels of that modality only
entailment     three classes             1/3 picture alone, 2/3 sentence alone
=============  ========================  ==================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal, TypeVar

from phosphene.data.world.compose import phrasings, pick
from phosphene.data.world.english import PLACE_PHRASES
from phosphene.data.world.lexicon import (
    ANIMALS,
    CHILDREN,
    COLOURS,
    ORDINARY,
    PLACES,
)
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import Part, Split, World, seeded

_T = TypeVar("_T")

Entailment = Literal["entailment", "neutral", "contradiction"]
ENTAILMENTS: Final[tuple[Entailment, ...]] = ("entailment", "neutral", "contradiction")
GENRES: Final = (
    "seaside", "winter", "family",  # the picture decides
    "comedy", "crime", "romance",  # the sentence decides
    "adventure", "documentary",  # both together
)  # fmt: skip


@dataclass(frozen=True)
class BinaryExample:
    """A picture with a remark: hostile where something living is insulted, or a thing flattered."""

    scene: Scene
    sentence: str
    label: bool


@dataclass(frozen=True)
class MultiLabelExample:
    """A picture with a plot: the genres that hold, a subset of :data:`GENRES`."""

    scene: Scene
    sentence: str
    labels: frozenset[str]


@dataclass(frozen=True)
class EntailmentExample:
    """A picture as premise, a sentence as hypothesis."""

    scene: Scene
    sentence: str
    label: Entailment


_KIND_WORDS: Final = ("lovely", "charming", "delightful", "adorable", "sweet")
_UNKIND_WORDS: Final = ("horrible", "ugly", "disgusting", "stupid", "awful")
_REMARKS: Final = (
    "what {article} {word} sight .",
    "look how {word} this is .",
    "nothing is as {word} as this .",
    "everybody says this is {word} .",
)
_STILL: Final = tuple(kind for kind in ORDINARY if kind not in ANIMALS)
_ALIVE: Final = tuple(kind for kind in ORDINARY if kind in ANIMALS)


def hostility(world: World, index: int, part: Part = Part.TRAIN) -> BinaryExample:
    """Example ``index`` of the binary task, whose label is an exclusive or.

    Four examples in a row are one remark that is kind or unkind, over one picture of an animal or
    of a lifeless thing. Every sentence and every picture thus occurs once with each label: the same
    sentence with the other picture, and the same picture with the other sentence, have the other.
    """
    group, cell = divmod(index, 4)
    unkind, still = divmod(cell, 2)
    rng = seeded(f"{world.seed}/hostility/{part.value}/{group}")
    remark, word = pick(rng, _REMARKS), int(rng.random() * len(_KIND_WORDS))
    alive_kind, still_kind = pick(rng, _ALIVE), pick(rng, _STILL)
    scene = _lone(world.scene(Split.ORDINARY, group, part))
    focus = replace(scene.focus, kind=still_kind if still else alive_kind)
    adjective = (_UNKIND_WORDS if unkind else _KIND_WORDS)[word]
    article = "an" if adjective[0] in "aeiou" else "a"
    sentence = remark.format(article=article, word=adjective)
    return BinaryExample(replace(scene, things=(focus,)), sentence, bool(unkind) != bool(still))


def _lone(scene: Scene) -> Scene:
    """The same place with the first thing alone in it."""
    wording = phrasings("show")[scene.key % len(phrasings("show"))]
    return replace(scene, things=scene.things[:1], person=None, relation=None, phrasing=wording)


_OPENINGS: Final = {
    "comedy": ("a funny story", "a silly story"),
    "crime": ("a story of murder", "a story of a theft"),
    "romance": ("a love story", "a story of true love"),
}
_PLAIN: Final = ("a story", "a tale")
_MIDDLES: Final = {
    "journey": ("about a long journey", "about a voyage"),
    "true": ("that really happened", "told as it was"),
}


def genres(world: World, index: int, part: Part = Part.TRAIN) -> MultiLabelExample:
    """Example ``index`` of the multi-label task.

    The picture alone decides *seaside* (a beach), *winter* (snow) and *family* (a child); the
    sentence alone *comedy*, *crime* and *romance*; *adventure* is somebody running or jumping
    **and** a journey in the sentence, *documentary* an animal **and** a true story.
    """
    rng = seeded(f"{world.seed}/genres/{part.value}/{index}")
    scene = world.scene(Split.ORDINARY, index, part)
    tone = pick(rng, (*_OPENINGS, None))
    matter = pick(rng, (*_MIDDLES, None))
    opening = pick(rng, _PLAIN if tone is None else _OPENINGS[tone])
    middle = "" if matter is None else pick(rng, _MIDDLES[matter])
    sentence = " ".join(f"{opening} {middle} .".split())
    labels = {tone} if tone is not None else set()
    labels |= {"seaside"} if scene.place == "beach" else set()
    labels |= {"winter"} if scene.place == "snow" else set()
    if scene.person is not None:
        labels |= {"family"} if scene.person.kind in CHILDREN else set()
        moving = scene.person.action in ("run", "jump")
        labels |= {"adventure"} if moving and matter == "journey" else set()
    animal = any(thing.kind in ANIMALS for thing in scene.things)
    labels |= {"documentary"} if animal and matter == "true" else set()
    return MultiLabelExample(scene, sentence, frozenset(labels))


_UNSEEN: Final = (
    "on a monday", "in april", "after lunch", "for the first time", "before the holidays",
    "once a year",
)  # fmt: skip


_CLAIMS_OF_COLOUR: Final = (
    "what one sees is {} .", "what is shown is {} .", "something here is {} .",
    "one sees something {} .",
)  # fmt: skip
_CLAIMS_OF_PLACE: Final = (
    "this is {} .", "we are {} .", "the picture was taken {} .", "it all happened {} .",
)  # fmt: skip


def entailment(world: World, index: int, part: Part = Part.TRAIN) -> EntailmentExample:
    """Example ``index`` of the three-way task.

    Three examples in a row are claims about one picture of a thing somewhere, of its colour or of
    the place: a true one; a true one with an addition that no picture shows; and one that is false.
    True and false claims are alike as sentences, so the sentence alone cannot tell them apart.
    """
    group, label = divmod(index, len(ENTAILMENTS))
    rng = seeded(f"{world.seed}/entailment/{part.value}/{group}")
    scene = _lone(world.scene(Split.ORDINARY, group, part))
    if rng.random() < 0.5:
        claim = pick(rng, _CLAIMS_OF_COLOUR)
        sentence = claim.format(_told(rng, COLOURS, scene.focus.colour, label))
    else:
        claim = pick(rng, _CLAIMS_OF_PLACE)
        sentence = claim.format(PLACE_PHRASES[_told(rng, PLACES, scene.place, label)])
    if ENTAILMENTS[label] == "neutral":
        sentence = f"{sentence.removesuffix(' .')} {pick(rng, _UNSEEN)} ."
    return EntailmentExample(scene, sentence, ENTAILMENTS[label])


def _told(rng: Random, options: Sequence[_T], fact: _T, label: int) -> _T:
    """``fact``, or of a contradiction something else."""
    if ENTAILMENTS[label] != "contradiction":
        return fact
    return pick(rng, [other for other in options if other != fact])


__all__ = [
    "ENTAILMENTS",
    "GENRES",
    "BinaryExample",
    "Entailment",
    "EntailmentExample",
    "MultiLabelExample",
    "entailment",
    "genres",
    "hostility",
]
