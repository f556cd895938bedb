"""Scores that only the embedded world can give: it knows what is true in every picture."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.data.world.captions import (
    names_what_is_there,
    nouns_are_right,
    sense_is_right,
)
from phosphene.data.world.lexicon import WORDS, Language
from phosphene.data.world.scene import Scene
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Judge


def world_judge(scenes: Sequence[Scene], language: Language) -> Judge:
    """Accuracy of the ambiguous noun's sense, where the scenes have one."""
    ambiguous = [index for index, scene in enumerate(scenes) if scene.ambiguous_noun is not None]

    def judge(hypotheses: Sequence[str]) -> list[Score]:
        if not ambiguous:
            return []
        right = sum(
            sense_is_right(scenes[index], language, hypotheses[index]) for index in ambiguous
        )
        return [
            Score(
                "sense accuracy",
                100 * right / len(ambiguous),
                f"{right} of {len(ambiguous)} ambiguous nouns, the other sense's word absent",
            )
        ]

    return judge


def naming_judge(scenes: Sequence[Scene], language: Language) -> Judge:
    """Whether what the picture is about is named; whether what is named is there; both at once.

    A caption may leave out one of two things, and a picture of two does not say which it is about.
    """

    def judge(hypotheses: Sequence[str]) -> list[Score]:
        true = sum(
            names_what_is_there(scene, language, hypothesis)
            for scene, hypothesis in zip(scenes, hypotheses, strict=True)
        )
        named = sum(
            bool(WORDS[language][scene.focus.kind].forms() & set(hypothesis.split()))
            for scene, hypothesis in zip(scenes, hypotheses, strict=True)
        )
        nouns = sum(
            nouns_are_right(scene, language, hypothesis)
            for scene, hypothesis in zip(scenes, hypotheses, strict=True)
        )
        count = len(scenes)
        return [
            Score("thing named", 100 * named / count, f"{named} of {count}, any inflected form"),
            Score("names what is there", 100 * true / count, f"{true} of {count}, a thing or more"),
            Score("all nouns right", 100 * nouns / count, f"{nouns} of {count}, no other noun"),
        ]

    return judge
