"""Captions in three languages, and whether somebody else's caption got the sense right.

A caption is lower-cased, its tokens are separated by single spaces and it ends in `` .``. Given the
scene, one wording is one sentence in each language, so a translation can be learnt to the last
word, except for the sense of an ambiguous noun.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from phosphene.data.world import english, french, german
from phosphene.data.world.compose import phrasings
from phosphene.data.world.lexicon import SENSES, WORDS, Language, ambiguous_nouns
from phosphene.data.world.scene import Phrasing, Scene
from phosphene.data.world.splits import seeded

_SENTENCES = {"en": english.sentence, "de": german.sentence, "fr": french.sentence}


def caption(scene: Scene, language: Language, wording: Phrasing | None = None) -> str:
    """The scene's caption, in its own wording unless another of its plot is given."""
    return _SENTENCES[language](scene, wording or scene.phrasing)


def captions(scene: Scene, language: Language, count: int) -> tuple[str, ...]:
    """Different true captions of a scene, the first of them :func:`caption`.

    Where that one names the place, so do the others. There are at least six.

    Raises:
        ValueError: if the world cannot say it in that many ways.
    """
    own = scene.phrasing
    others = [
        wording
        for wording in phrasings(scene.plot)
        if wording != own and (wording.place or not own.place)
    ]
    if not 0 <= count <= len(others) + 1:
        raise ValueError(f"expected 0 to {len(others) + 1} captions, got {count}")
    rng = seeded(f"captions/{scene.key}")
    others.sort(key=lambda _: rng.random())
    return tuple(caption(scene, language, wording) for wording in [own, *others][:count])


def sense_is_right(scene: Scene, language: Language, hypothesis: str) -> bool:
    """Whether a translation names the sense in the picture, and not the other one.

    Any inflected form counts; the rest of the sentence is not looked at.

    Args:
        scene: a scene with an ambiguous noun.
        language: the language of the hypothesis.
        hypothesis: lower-cased tokens separated by spaces.

    Raises:
        ValueError: if the scene has no noun that is ambiguous into ``language``.
    """
    english_noun = scene.ambiguous_noun
    if english_noun is None or english_noun not in ambiguous_nouns(language):
        raise ValueError(f"expected a noun ambiguous into {language!r}, got {scene.focus.kind!r}")
    tokens = set(hypothesis.split())
    first, second = SENSES[english_noun]
    other = second if scene.focus.kind == first else first
    right, wrong = WORDS[language][scene.focus.kind].forms(), WORDS[language][other].forms()
    return bool(tokens & right) and not tokens & wrong


def ambiguous_accuracy(
    scenes: Sequence[Scene], language: Language, hypotheses: Sequence[str]
) -> float:
    """Share of translations whose ambiguous noun has the right sense.

    Raises:
        ValueError: unless there is one hypothesis per scene, and at least one.
    """
    _check_lengths(scenes, hypotheses)
    right = [sense_is_right(s, language, h) for s, h in zip(scenes, hypotheses, strict=True)]
    return sum(right) / len(right)


def nouns_are_right(scene: Scene, language: Language, hypothesis: str) -> bool:
    """Whether exactly the nouns of the scene's caption occur, each in any inflected form."""
    tokens = set(hypothesis.split())
    kinds = {thing.kind for thing in scene.things}
    if scene.person is not None:
        kinds.add(scene.person.kind)
    wanted = [WORDS[language][kind].forms() for kind in kinds]
    allowed = frozenset[str]().union(*wanted)
    return all(tokens & forms for forms in wanted) and not (tokens & _nouns(language)) - allowed


def names_what_is_there(scene: Scene, language: Language, hypothesis: str) -> bool:
    """Whether at least one of the scene's things is named, and nothing and nobody that is absent.

    For captions: a picture does not say what its caption leaves out.
    """
    tokens = set(hypothesis.split())
    things = [WORDS[language][thing.kind].forms() for thing in scene.things]
    person = [] if scene.person is None else [WORDS[language][scene.person.kind].forms()]
    allowed = frozenset[str]().union(*things, *person)
    return any(tokens & forms for forms in things) and not (tokens & _nouns(language)) - allowed


def noun_accuracy(scenes: Sequence[Scene], language: Language, hypotheses: Sequence[str]) -> float:
    """Share of translations all of whose nouns are right.

    Raises:
        ValueError: unless there is one hypothesis per scene, and at least one.
    """
    _check_lengths(scenes, hypotheses)
    right = [nouns_are_right(s, language, h) for s, h in zip(scenes, hypotheses, strict=True)]
    return sum(right) / len(right)


@cache
def _nouns(language: Language) -> frozenset[str]:
    return frozenset[str]().union(*(word.forms() for word in WORDS[language].values()))


def _check_lengths(scenes: Sequence[Scene], hypotheses: Sequence[str]) -> None:
    if not scenes or len(scenes) != len(hypotheses):
        raise ValueError(
            f"expected one hypothesis per scene, got {len(scenes)} scenes and {len(hypotheses)}"
        )


__all__ = [
    "ambiguous_accuracy", "caption", "captions", "names_what_is_there", "noun_accuracy",
    "nouns_are_right",
    "sense_is_right",
]  # fmt: skip
