"""Score a translation system on its test splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog, Signature
from phosphene.data.dataset import TranslationData
from phosphene.data.text import SubWords
from phosphene.evaluate.meteor import NAME as METEOR
from phosphene.evaluate.meteor import meteor_if_available
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.translation import score_corpus
from phosphene.evaluate.translator import reference_likelihoods, translate_all
from phosphene.models.pipeline import TranslationModel
from phosphene.models.search import SearchConfig

Judge = Callable[[Sequence[str]], list[Score]]
"""Scores the translations of one split by what is known to be true in its pictures."""


Kind = Literal["translations", "answers"]
"""What the lines of a split are. Answers are right or wrong; translations are compared."""


@dataclass(frozen=True)
class Line:
    """One sentence of a test split, or one question with its gold answer and the one given."""

    source: str
    reference: str
    hypothesis: str
    likelihood: float
    """Log-probability of the whole reference, in nats; minus infinity for a gold answer that is
    none of the system's."""


@dataclass(frozen=True)
class SplitResult:
    """What a system did on one split."""

    split: str
    sentences: int
    scores: tuple[Score | Unavailable, ...]
    lines: tuple[Line, ...] = ()
    """What was said, sentence by sentence; empty where the split could not be translated."""
    kind: Kind = "translations"
    language: str = ""
    """Of the translations."""
    tokenised: bool = True
    """Whether these are Moses-tokenised, or natural text."""


@dataclass(frozen=True)
class Results:
    """All splits of one system, signed."""

    system: str
    language: str
    """Of the answers, or of the translations in the first direction."""
    signature: Signature
    splits: tuple[SplitResult, ...]

    def split(self, name: str) -> SplitResult:
        """One of the splits.

        Raises:
            InputError: the system was not scored on it.
        """
        for split in self.splits:
            if split.split == name:
                return split
        known = ", ".join(split.split for split in self.splits)
        raise InputError(f"{self.system}: no split '{name}', expected one of {known}")


@dataclass(frozen=True)
class System:
    """A trained translator and how it is to be used."""

    name: str
    model: TranslationModel
    tokenizer: SubWords
    search: SearchConfig
    language: str
    """Of the target."""
    needs_pictures: bool = False
    tokenised: bool = True
    """Whether its texts are Moses-tokenised, or natural text."""
    forced: tuple[int, ...] = ()
    """Words that every translation starts with, such as the token of its language."""


def score_split(
    system: System, name: str, data: TranslationData, log: RunLog, judge: Judge | None = None
) -> SplitResult:
    """Translate and score ``data``.

    A system that needs pictures is not scored where one is missing; the result says so.
    """
    missing = len(data) - len(data.only_with_pictures())
    if system.needs_pictures and missing:
        reason = f"{missing} of {len(data)} sentences have no picture"
        return SplitResult(
            name,
            len(data),
            (Unavailable("BLEU", reason),),
            language=system.language,
            tokenised=system.tokenised,
        )
    with log.progress(f"translating {name}", len(data)) as advance:
        hypotheses = translate_all(
            system.model,
            data,
            system.tokenizer,
            system.search,
            lambda done, total: advance(done),
            system.forced,
        )
    likelihoods = reference_likelihoods(system.model, data)
    scores = [
        *(judge(hypotheses) if judge is not None else []),
        *score_corpus(hypotheses, data.references, system.language, tokenised=system.tokenised),
        Score(
            "log-likelihood",
            float(likelihoods.mean()),
            "mean over sentences of the reference's log-probability, nats",
        ),
    ]
    lines = [
        Line(pair.source, pair.target, hypothesis, float(likelihood))
        for pair, hypothesis, likelihood in zip(data.pairs, hypotheses, likelihoods, strict=True)
    ]
    return SplitResult(
        name,
        len(data),
        tuple(scores),
        tuple(lines),
        language=system.language,
        tokenised=system.tokenised,
    )


def meteor_of(split: SplitResult) -> Score | Unavailable:
    """METEOR 1.5 of the translations of a split, or why there is none."""
    if not split.lines:
        reasons = (score for score in split.scores if isinstance(score, Unavailable))
        return next(reasons, Unavailable(METEOR, "nothing was translated"))
    return meteor_if_available(
        [line.hypothesis for line in split.lines],
        [line.reference for line in split.lines],
        split.language,
    )


def with_photo_subsets(splits: Mapping[str, TranslationData]) -> dict[str, TranslationData]:
    """The splits and, of each that is only partly illustrated, the part that is."""
    views: dict[str, TranslationData] = {}
    for name, data in splits.items():
        views[name] = data
        seen = data.only_with_pictures()
        if 0 < len(seen) < len(data):
            views[f"{name}.photos"] = seen
    return views
