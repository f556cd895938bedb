"""The probes of translators, whichever recipe has trained them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phosphene.core.errors import InputError
from phosphene.core.runlog import Advance
from phosphene.data.dataset import NO_PICTURE, TranslationData
from phosphene.data.root import data_root
from phosphene.data.translation import Pair
from phosphene.evaluate.meteor import meteor_if_available
from phosphene.evaluate.moses import tokenise
from phosphene.evaluate.probes.contrastive import (
    Candidate,
    Item,
    contrastive,
    read_commute,
    unmirrored,
    unseen,
)
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import Outcome, incongruent, swapped_pictures
from phosphene.evaluate.probes.lexical import Said, lexical, read_entries
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.system import Judge, System
from phosphene.evaluate.translation import score_corpus
from phosphene.evaluate.translator import reference_likelihoods, translate_all
from phosphene.recipes.probe import Answer, Asked, chosen

MEASURE = "perplexity per target token, EOS included"


@dataclass(frozen=True)
class Used:
    """A system and the examples that it is used on."""

    system: System
    data: TranslationData
    judge: Judge | None = None
    """Of the translations of exactly these examples."""

    def on(self, data: TranslationData) -> Used:
        """The same system on another version of the examples."""
        return replace(self, data=data)


@dataclass(frozen=True)
class Subject:
    """A trained translator, and what it can be asked about."""

    system: System
    tests: Mapping[str, Used]
    """Test splits, as the system is used; none where it needs pictures that are not there."""
    languages: tuple[str, str]
    read: Callable[[Sequence[Pair]], TranslationData]
    """Other sentences as the system reads them, with their pictures where it takes any."""
    blind: str = ""
    """Why ``read`` looks at no pictures; empty where it does."""
    natural_source: bool = False
    """Whether sources are natural text while targets are tokenised."""


def use(used: Used, *, with_meteor: bool = False) -> Outcome:
    """Translate and score the references, with METEOR too where it is asked for."""
    system, data = used.system, used.data
    said = translate_all(system.model, data, system.tokenizer, system.search, None, system.forced)
    bleu = score_corpus(said, data.references, system.language, tokenised=system.tokenised)[0]
    meteor = [meteor_if_available(said, data.references, system.language)] if with_meteor else []
    judged = [] if used.judge is None else used.judge(said)
    return Outcome(reference_likelihoods(system.model, data), (*judged, bleu, *meteor))


def swaps(data: TranslationData, seeds: int) -> list[TranslationData]:
    """Versions in which every example has the picture of another one of the split."""
    return [
        replace(data, picture_of=swapped_pictures(data.picture_of, seed))
        for seed in range(1, seeds + 1)
    ]


@dataclass(frozen=True)
class Shown:
    """The illustrated examples of a split with their own pictures, and under other conditions."""

    name: str
    right: Used
    others: Mapping[str, Sequence[Used]]


def illustrated(tests: Mapping[str, Used], asked: Asked) -> dict[str, Used]:
    """The splits all of whose examples have a picture, at least two different ones.

    Raises:
        InputError: there is none, or none of the name that was asked for.
    """
    found = {
        name: used
        for name, used in tests.items()
        if NO_PICTURE not in used.data.picture_of and len(set(used.data.picture_of.tolist())) > 1
    }
    if not found:
        raise InputError("no test split has two pictures or more")
    return chosen(found, asked.split)


def ask_incongruent(shown: Iterable[Shown], asked: Asked) -> Answer:
    """What each split's translations and references lose by wrong pictures."""
    findings = []
    for each in shown:
        title = f"{each.name}, {len(each.right.data)} examples: which picture is shown"
        total = 1 + sum(map(len, each.others.values()))
        with asked.log.progress(title, total) as advance:
            done = 0

            def run(used: Used, advance: Advance = advance) -> Outcome:
                nonlocal done
                outcome, done = use(used), done + 1
                advance(done)
                return outcome

            findings.append(incongruent(title, run, each.right, each.others))
    return Answer(tuple(findings))


def ask_contrastive(subject: Subject, asked: Asked) -> Answer:
    """CoMMuTE in the run's target language.

    Raises:
        InputError: pictures are given and cannot be looked at; the data root has no CoMMuTE of the
            language, or a picture is missing.
    """
    if asked.images is not None and subject.blind:
        raise InputError(f"contrastive: --images {asked.images}: {subject.blind}")
    system, items = subject.system, read_commute(data_root(), subject.languages[1])
    rows: dict[str, tuple[Score | Unavailable, ...]] = {
        "no picture": contrastive(
            unseen(items), lambda found: perplexities(subject, system, found), measure=MEASURE
        )
    }
    if not subject.blind:
        rows["its picture"] = _with_pictures(subject, system, items, asked)
    lines = [str(item.line) for item in unmirrored(items)]
    mirrored = f"not mirrored: lines {', '.join(lines)}" if lines else "all pairs are mirrored"
    note = (
        f"{len(items)} items; {mirrored}. Without a picture one item of each mirrored pair is "
        "right: 50 %, and no whole group."
    )
    title = f"CoMMuTE {'-'.join(subject.languages)}"
    return Answer((Finding(title, rows, note),))


def perplexities(
    subject: Subject, system: System, candidates: Sequence[Candidate], asked: Asked | None = None
) -> np.ndarray:
    """The perplexity of every candidate, as the system reads text."""
    start, end = subject.languages
    sources, targets = (
        [candidate.source for candidate in candidates],
        [candidate.translation for candidate in candidates],
    )
    if system.tokenised:
        targets = tokenise(targets, end)
        if not subject.natural_source:
            sources = tokenise(sources, start)
    folder = None if asked is None else asked.images
    pictures = [folder / each.picture if folder else None for each in candidates]
    data = subject.read(
        [
            Pair(f"commute:{number}", *parts)
            for number, parts in enumerate(zip(sources, targets, pictures, strict=True), start=1)
        ]
    )
    tokens = np.array([len(target) + 1 for target in data.targets])
    return np.exp(-reference_likelihoods(system.model, data) / tokens)


def ask_lexical(subject: Subject, asked: Asked) -> Answer:
    """Ambiguous words of a list, in every split that has any of its sentences.

    Raises:
        InputError: no list was named, or none of its sentences is in a split.
    """
    if asked.lists is None:
        raise InputError("lexical: expected a list of ambiguous words in the MLT format (--lists)")
    entries, findings, problem = read_entries(asked.lists), [], ""
    for name, used in chosen(subject.tests, asked.split).items():
        system = used.system
        said = translate_all(
            system.model, used.data, system.tokenizer, system.search, None, system.forced
        )
        try:
            findings.append(lexical(name, entries, _pictured(used.data, said)))
        except InputError as error:
            problem = f"{asked.lists}: {error}"
    if not findings:
        raise InputError(problem)
    return Answer(tuple(findings))


def _pictured(data: TranslationData, said: Sequence[str]) -> list[Said]:
    """Every sentence with what was said of it and, where it is known, the name of its picture."""
    return [
        Said(pair.whole_source, hypothesis, _picture_name(pair, data, int(row)))
        for pair, hypothesis, row in zip(data.pairs, said, data.picture_of, strict=True)
    ]


def _picture_name(pair: Pair, data: TranslationData, row: int) -> str:
    if pair.image is not None:
        return pair.image.name
    return data.picture_names[row] if row != NO_PICTURE and data.picture_names else ""


def _with_pictures(
    subject: Subject, system: System, items: Sequence[Item], asked: Asked
) -> tuple[Score | Unavailable, ...]:
    if asked.images is None:
        return (
            Unavailable("ranking accuracy", "no folder of CoMMuTE images was given (--images)"),
        )
    return contrastive(
        items, lambda found: perplexities(subject, system, found, asked), measure=MEASURE
    )


__all__ = [
    "Shown",
    "Subject",
    "Used",
    "ask_contrastive",
    "ask_incongruent",
    "ask_lexical",
    "illustrated",
    "perplexities",
    "swaps",
    "use",
]
