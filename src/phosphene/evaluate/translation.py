"""BLEU and chrF in every convention of the field, each number with its signature.

One file of outputs has many BLEU scores. On published English-French outputs for Multi30K they lie
up to ten points apart, more than any two systems of the last ten years, so a bare "62.5 BLEU" says
nothing. The papers of this field score lower-cased, Moses-tokenised text as it is (`BLEU
tokenised`); systems built on large pre-trained models score natural text with sacrebleu. Here all
are computed at once and a comparison is made between equal signatures only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from phosphene.core.errors import InputError
from phosphene.data.lines import parallel
from phosphene.evaluate.meteor import meteor_if_available
from phosphene.evaluate.moses import check_language, detokenise, looks_tokenised, unescape
from phosphene.evaluate.score import Score, Unavailable, as_record
from phosphene.evaluate.significance import Comparison, bleu_statistics, compare

_File = tuple[Path, Sequence[str]]

View = Literal["tokenised", "unescaped", "detokenised", "raw"]
"""What was done to a text before the metric sees it. ``raw`` is natural text, never tokenised."""


@dataclass(frozen=True)
class Convention:
    """One way to compute BLEU."""

    name: str
    hypothesis: View
    reference: View
    tokenizer: Literal["none", "13a", "intl"]
    lowercase: bool


CONVENTIONS = (
    Convention("BLEU tokenised", "tokenised", "tokenised", "none", lowercase=True),
    Convention("BLEU 13a on tokens", "tokenised", "tokenised", "13a", lowercase=True),
    Convention("BLEU 13a on unescaped tokens", "unescaped", "unescaped", "13a", lowercase=True),
    Convention("BLEU 13a detokenised", "detokenised", "detokenised", "13a", lowercase=True),
    Convention("BLEU intl detokenised", "detokenised", "detokenised", "intl", lowercase=True),
    Convention("BLEU 13a cased", "detokenised", "raw", "13a", lowercase=False),
    Convention("BLEU 13a cased", "raw", "raw", "13a", lowercase=False),
    Convention("BLEU 13a", "raw", "raw", "13a", lowercase=True),
    Convention("BLEU intl", "raw", "raw", "intl", lowercase=True),
)
"""Those whose views exist are computed. The first is the papers' number. The second is a mistake
that is made (sacrebleu over text that still holds ``&apos;``), kept to recognise published numbers.
"""


@dataclass(frozen=True)
class ScoreReport:
    """All that is known about one file of outputs."""

    hypothesis: str
    reference: str
    language: str
    tokenised: bool
    """Whether the texts were read as Moses-tokenised or as natural text."""
    sentences: int
    reference_tokens: int
    """Split at spaces. 12,103 identifies the German Multi30K test set of 2016, tokenised."""
    empty_hypotheses: int
    scores: tuple[Score, ...]
    unavailable: tuple[Unavailable, ...] = ()
    baseline: str | None = None
    comparisons: tuple[Comparison, ...] = ()

    def as_record(self) -> Mapping[str, object]:
        """The report as nested mappings and sequences for JSON."""
        return asdict(self)


def score_corpus(
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str,
    raw_references: Sequence[str] | None = None,
    *,
    tokenised: bool = True,
) -> list[Score]:
    """BLEU in every convention that fits the texts, then chrF.

    Args:
        hypotheses: One output per sentence.
        references: One reference per sentence, in the same form as the hypotheses.
        language: Of both, one of ``moses.LANGUAGES``.
        raw_references: The references as natural cased text; adds the cased convention.
        tokenised: Whether both are Moses-tokenised (as in Multi30K's ``tok``) or natural text.

    Raises:
        InputError: no sentence, unequal numbers of sentences, or an unknown language.
    """
    corpus = _corpus(hypotheses, references, language, raw_references, tokenised)
    return [*(corpus.bleu(convention) for convention in corpus.conventions()), corpus.chrf()]


def compare_corpora(
    hypotheses: Sequence[str],
    baseline: Sequence[str],
    references: Sequence[str],
    language: str,
    raw_references: Sequence[str] | None = None,
    *,
    tokenised: bool = True,
    seed: int,
) -> list[Comparison]:
    """Both systems in every BLEU convention, with intervals, difference and p-values.

    ``baseline`` holds the baseline's outputs for the same sentences; the other arguments and the
    errors are those of ``score_corpus``.
    """
    system = _corpus(hypotheses, references, language, raw_references, tokenised)
    other = _corpus(baseline, references, language, raw_references, tokenised)
    return [
        compare(
            convention.name,
            system.statistics(convention),
            other.statistics(convention),
            signature=system.bleu(convention).signature,
            seed=seed,
        )
        for convention in system.conventions()
    ]


def corpus_statistics(
    name: str,
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str,
    *,
    tokenised: bool = True,
) -> Int[np.ndarray, "sentence statistic"] | None:
    """Of every sentence what BLEU in the convention called ``name`` is summed from.

    ``None`` where no convention of these texts has that name.
    """
    corpus = _corpus(hypotheses, references, language, None, tokenised)
    for convention in corpus.conventions():
        if convention.name == name:
            return corpus.statistics(convention)
    return None


def score_files(
    hypothesis: Path,
    reference: Path,
    *,
    language: str,
    baseline: Path | None = None,
    raw_reference: Path | None = None,
    tokenised: bool | None = None,
    with_meteor: bool = True,
    seed: int = 1,
) -> ScoreReport:
    """Score one file of outputs, and test it against a baseline's where one is given.

    Args:
        hypothesis: Outputs, one per line; an empty line is an empty output.
        reference: References, one per line, none empty.
        language: Of both, one of ``moses.LANGUAGES``.
        baseline: Outputs of another system for the same sentences.
        raw_reference: The references as natural cased text, where the others are tokenised.
        tokenised: Whether the texts are Moses-tokenised; found out from them where ``None``.
        with_meteor: Also run METEOR 1.5 (some seconds), or say why it cannot run.
        seed: Of the resampling tests.

    Raises:
        InputError: a file cannot be read, the line counts differ, a reference is empty, one file
            is tokenised and another is not, or the language is unknown.
    """
    check_language(language)
    extra = [path for path in (baseline, raw_reference) if path is not None]
    hypotheses, references, *others = parallel(hypothesis, reference, *extra)
    other_hypotheses = others[0] if baseline is not None else None
    raw_references = others[-1] if raw_reference is not None else None
    _refuse_empty(reference, references)
    if tokenised is None:
        outputs = [(hypothesis, hypotheses)]
        if baseline is not None and other_hypotheses is not None:
            outputs.append((baseline, other_hypotheses))
        tokenised = _shared_form((reference, references), *outputs)
    comparisons = (
        []
        if other_hypotheses is None
        else compare_corpora(
            hypotheses,
            other_hypotheses,
            references,
            language,
            raw_references,
            tokenised=tokenised,
            seed=seed,
        )
    )
    scores = score_corpus(hypotheses, references, language, raw_references, tokenised=tokenised)
    unavailable = []
    if with_meteor:
        score = meteor_if_available(hypotheses, references, language)
        if isinstance(score, Unavailable):
            unavailable.append(score)
        else:
            view: View = "tokenised" if tokenised else "raw"
            scores.append(replace(score, signature=f"{score.signature}|hyp:{view}|ref:{view}"))
    return ScoreReport(
        hypothesis=str(hypothesis),
        reference=str(reference),
        language=language,
        tokenised=tokenised,
        sentences=len(hypotheses),
        reference_tokens=sum(len(sentence.split()) for sentence in references),
        empty_hypotheses=sum(not sentence.strip() for sentence in hypotheses),
        scores=tuple(scores),
        unavailable=tuple(unavailable),
        baseline=None if baseline is None else str(baseline),
        comparisons=tuple(comparisons),
    )


@dataclass(frozen=True)
class _Corpus:
    """Outputs and references of one system in every view that exists."""

    hypotheses: Mapping[View, Sequence[str]]
    references: Mapping[View, Sequence[str]]
    language: str

    def conventions(self) -> list[Convention]:
        return [
            convention
            for convention in CONVENTIONS
            if convention.hypothesis in self.hypotheses and convention.reference in self.references
        ]

    def bleu(self, convention: Convention) -> Score:
        metric = BLEU(lowercase=convention.lowercase, tokenize=convention.tokenizer, force=True)
        value = metric.corpus_score(
            self.hypotheses[convention.hypothesis], [self.references[convention.reference]]
        ).score
        views = self._signature(convention.hypothesis, convention.reference)
        return Score(convention.name, value, f"{metric.get_signature()}|{views}")

    def statistics(self, convention: Convention) -> Int[np.ndarray, "sentence statistic"]:
        return bleu_statistics(
            self.hypotheses[convention.hypothesis],
            self.references[convention.reference],
            tokenizer=convention.tokenizer,
            lowercase=convention.lowercase,
        )

    def chrf(self) -> Score:
        view: View = "detokenised" if "detokenised" in self.hypotheses else "raw"
        metric = CHRF(lowercase=True)
        value = metric.corpus_score(self.hypotheses[view], [self.references[view]]).score
        return Score("chrF2", value, f"{metric.get_signature()}|{self._signature(view, view)}")

    def _signature(self, hypothesis: View, reference: View) -> str:
        signature = f"lang:{self.language}|hyp:{hypothesis}|ref:{reference}"
        if hypothesis == "detokenised":
            signature += f"|sacremoses:{version('sacremoses')}"
        return signature


def _corpus(
    hypotheses: Sequence[str],
    references: Sequence[str],
    language: str,
    raw_references: Sequence[str] | None,
    tokenised: bool,
) -> _Corpus:
    check_language(language)
    if raw_references is not None and not tokenised:
        raise InputError("the references are natural text already: expected no raw references")
    for name, side in (("hypotheses", hypotheses), ("raw references", raw_references)):
        if side is not None and len(side) != len(references):
            raise InputError(f"{len(side):,} {name} for {len(references):,} references")
    if not references:
        raise InputError("nothing to score: expected at least one sentence")
    reference_views = _views(references, language, tokenised)
    if raw_references is not None:
        reference_views["raw"] = raw_references
    return _Corpus(_views(hypotheses, language, tokenised), reference_views, language)


def _views(sentences: Sequence[str], language: str, tokenised: bool) -> dict[View, Sequence[str]]:
    if not tokenised:
        return {"raw": sentences}
    return {
        "tokenised": sentences,
        "unescaped": [unescape(sentence) for sentence in sentences],
        "detokenised": detokenise(sentences, language),
    }


def _shared_form(reference: _File, *outputs: _File) -> bool:
    """Whether all texts are tokenised; an error where one is and another is not."""
    path, sentences = reference
    form = looks_tokenised(sentences)
    for other_path, other in outputs:
        other_form = looks_tokenised(other)
        if form is None:
            form = other_form
        if other_form is not None and other_form != form:
            raise InputError(
                f"{path} is {_form_name(form)} and {other_path} is {_form_name(other_form)}; "
                "expected both in the same form"
            )
    return form is not False


def _form_name(tokenised: bool | None) -> str:
    return "Moses-tokenised" if tokenised else "natural text"


def _refuse_empty(path: Path, sentences: Sequence[str]) -> None:
    for number, sentence in enumerate(sentences, start=1):
        if not sentence.strip():
            raise InputError(f"{path}, line {number}: empty; expected a reference translation")


__all__ = [
    "CONVENTIONS",
    "Convention",
    "Score",
    "ScoreReport",
    "Unavailable",
    "as_record",
    "compare_corpora",
    "corpus_statistics",
    "score_corpus",
    "score_files",
]
