"""Scores that only the embedded world can give: it knows what is true in every picture."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.data.world.captions import sense_is_right
from phosphene.data.world.lexicon import Language
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
