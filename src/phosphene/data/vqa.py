"""Questions about pictures, in several languages, with one answer or many.

Readers return tuples of :class:`Question`; the functions here add to them what comes in files of
its own: translations (mVQA is VQA v2 and such a file per language) and word alignments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from random import Random

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines
from phosphene.data.pharaoh import Alignment, read_pharaoh
from phosphene.data.words import join_words, split_words


@dataclass(frozen=True)
class Question:
    """One question about one picture.

    Attributes:
        id: unique within a data set.
        image_id: what features and splits know the picture by.
        text: the question by language code (``en``, ``ja``, ``hi``, ...).
        answers: scores in (0, 1] by answer; ``{answer: 1.0}`` where there is one label, empty where
            the answer is not published. The best comes first.
        type: what is asked for, as the data set has it; empty where it does not say.
        image: the picture itself.
        tags: English names of what a detector saw.
        words: the question as words, for the languages whose words are known.
        alignments: by language code, which English words its words translate.
        place: the file and row it was read from, for messages.
    """

    id: str
    image_id: str
    text: Mapping[str, str]
    answers: Mapping[str, float]
    type: str = ""
    image: Path | None = None
    tags: tuple[str, ...] = ()
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    alignments: Mapping[str, Alignment] = field(default_factory=dict)
    place: str = field(default="", compare=False)

    @property
    def best_answer(self) -> str | None:
        """The answer with the highest score; the first of several."""
        return max(self.answers, key=self.answers.__getitem__, default=None)

    def words_in(self, language: str) -> tuple[str, ...]:
        """The words of the question in ``language``: those given, or those it is split into."""
        known = self.words.get(language)
        return split_words(self.text[language], language) if known is None else known


Scoring = Callable[[int, int], float]
"""``(people who gave an answer, people asked)`` to the score of the answer."""


def third(votes: int, people: int) -> float:
    """``min(votes / 3, 1)``: an answer counts fully if three gave it (Antol et al., 2015)."""
    return min(votes / 3, 1.0)


def leave_one_out(votes: int, people: int) -> float:
    """The official evaluation: :func:`third` against all but one person, averaged over that person.

    With ten people: 0.3, 0.6, 0.9, 1 for one to four votes; also the usual training target.
    """
    if people < 2:
        return third(votes, people)
    return (votes * third(votes - 1, people) + (people - votes) * third(votes, people)) / people


def soft_scores(answers: Sequence[str], scoring: Scoring = third) -> dict[str, float]:
    """Scores of the answers that people gave to one question, the most frequent first."""
    return {
        answer: scoring(votes, len(answers)) for answer, votes in Counter(answers).most_common()
    }


def unique(questions: Sequence[Question]) -> tuple[Question, ...]:
    """The same questions.

    Raises:
        InputError: an id is used twice.
    """
    first: dict[str, str] = {}
    for question in questions:
        if question.id in first:
            raise InputError(
                f"{question.place}: question id {question.id!r} is already used in "
                f"{first[question.id]}"
            )
        first[question.id] = question.place
    return tuple(questions)


def with_translations(
    questions: Sequence[Question], path: Path, language: str
) -> tuple[Question, ...]:
    """Add the questions in ``language`` from a file of ``question id <tab> translation`` lines.

    Raises:
        InputError: a line that is ill-formed, a question that is unknown, translated twice or not
            translated.
    """
    known = {question.id for question in questions}
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        identifier, tab, text = line.partition("\t")
        if not tab or not text.strip():
            raise InputError(f"{path}:{number}: expected a question id, a tab and the translation")
        if identifier in found:
            raise InputError(f"{path}:{number}: question {identifier!r} is translated twice")
        if identifier not in known:
            raise InputError(
                f"{path}:{number}: there is no question {identifier!r} among the "
                f"{len(questions):,}; expected one translation per question"
            )
        found[identifier] = text.strip()
    for question in questions:
        if question.id not in found:
            raise InputError(f"{path}: no translation of question {question.id!r} ({language})")
    return tuple(
        replace(question, text={**question.text, language: found[question.id]})
        for question in questions
    )


def with_alignments(
    questions: Sequence[Question], path: Path, language: str
) -> tuple[Question, ...]:
    """Add word alignments to ``language``, line by line in the order of the questions.

    Raises:
        InputError: as :func:`phosphene.data.pharaoh.read_pharaoh`.
    """
    lengths = [(len(each.words_in("en")), len(each.words_in(language))) for each in questions]
    return tuple(
        replace(question, alignments={**question.alignments, language: links})
        for question, links in zip(questions, read_pharaoh(path, lengths), strict=True)
    )


def with_noise(
    questions: Sequence[Question], language: str, share: float, seed: int
) -> tuple[Question, ...]:
    """Worse translations: every word becomes another word of the set with probability ``share``.

    Alignments to the language stay as they are: a wrong word stands where the right one stood.
    """
    vocabulary = sorted({word for each in questions for word in each.words_in(language)})

    def disturbed(question: Question) -> Question:
        rng = Random(f"noise/{seed}/{question.id}")
        words = tuple(
            rng.choice(vocabulary) if rng.random() < share else word
            for word in question.words_in(language)
        )
        return replace(
            question,
            text={**question.text, language: join_words(words, language)},
            words={**question.words, language: words},
        )

    return tuple(disturbed(question) for question in questions)


def split_by_image(
    questions: Sequence[Question], shares: Mapping[str, float], seed: int = 0
) -> dict[str, tuple[Question, ...]]:
    """Cut into named parts that share no picture, their pictures in the ratio of ``shares``.

    The order of the pictures is a hash of their ids: it depends on nothing but these and ``seed``.
    """

    def key(image_id: str) -> bytes:
        return blake2b(f"{seed}/{image_id}".encode(), digest_size=8).digest()

    images = sorted({question.image_id for question in questions}, key=key)
    total, part_of = sum(shares.values()), {}
    start, reached = 0, 0.0
    for name, share in shares.items():
        reached += share
        stop = round(len(images) * reached / total)
        part_of.update(dict.fromkeys(images[start:stop], name))
        start = stop
    return {
        name: tuple(each for each in questions if part_of[each.image_id] == name) for name in shares
    }


__all__ = [
    "Question",
    "Scoring",
    "leave_one_out",
    "soft_scores",
    "split_by_image",
    "third",
    "unique",
    "with_alignments",
    "with_noise",
    "with_translations",
]
