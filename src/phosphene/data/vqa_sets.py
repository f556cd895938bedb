"""Small sets of questions: easy-VQA and DAQUAR (real files), and the embedded world."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final, Literal

from phosphene.core.errors import InputError
from phosphene.data.easy_vqa_questions import (
    ANSWERS,
    AnswerLanguage,
    Asked,
    Use,
    known_questions,
    wording,
    wording_count,
)
from phosphene.data.lines import read_lines
from phosphene.data.records import json_array
from phosphene.data.vqa import Question, split_by_image, unique
from phosphene.data.words import join_words
from phosphene.data.world.lexicon import WORDS
from phosphene.data.world.questions import (
    answer_text,
    paraphrase_count,
    question_tokens,
    questions,
)
from phosphene.data.world.splits import Part, Split, World

Wordings = Literal["translated", "native", "test"]
"""Translated: the English question, and in other languages a wording that follows it closely.
Native: any training wording of each language, on its own. Test: wordings never trained on."""

DAQUAR_SHARES: Final = {"train": 8.0, "validation": 1.0, "test": 1.0}


def read_easy_vqa(
    part: Literal["train", "test"],
    languages: Sequence[AnswerLanguage] = ("en",),
    *,
    answers: AnswerLanguage = "en",
    wordings: Wordings = "translated",
    seed: int = 0,
    folder: Path | None = None,
) -> tuple[Question, ...]:
    """easy-VQA (PyPI ``easy-vqa``): drawn shapes, 38,575 and 9,673 questions.

    Args:
        part: its training set or its test set, which share no picture.
        languages: of the questions.
        answers: the language of the answers.
        wordings: how the questions are put; in English ``"translated"`` is easy-VQA's own text.
        seed: of the choice among wordings, question by question.
        folder: holds ``train`` and ``test``; the installed package's if not given.

    Raises:
        InputError: the package is not installed, a question or an answer that easy-VQA does not
            have, a missing picture.
    """
    root = _easy_vqa_folder() if folder is None else folder
    path = root / part / "questions.json"
    known = known_questions()
    found = []
    for number, row in enumerate(json_array(path), start=1):
        place = f"{path}, question {number}"
        if not isinstance(row, list) or len(row) != 3:
            raise InputError(f"{place}: expected [question, answer, picture]")
        text, answer, picture = row
        if text not in known:
            raise InputError(f"{place}: {text!r} is not a question of easy-VQA")
        if answer not in ANSWERS:
            raise InputError(
                f"{place}: answer {answer!r} is outside the {len(ANSWERS)} of easy-VQA"
            )
        image = root / part / "images" / f"{picture}.png"
        if not image.is_file():
            raise InputError(f"{place}: picture {image} does not exist")
        asked, original = known[text]
        identifier = f"easy-vqa:{part}:{number}"
        rng = Random(f"wording/{seed}/{identifier}")
        words: dict[str, tuple[str, ...]] = {
            language: _worded(asked, language, wordings, original, rng) for language in languages
        }
        found.append(
            Question(
                id=identifier,
                image_id=f"{part}:{picture}",
                text={language: join_words(words[language], language) for language in languages},
                answers={ANSWERS[answer][answers]: 1.0},
                type=asked.type,
                image=image,
                words=words,
                place=place,
            )
        )
    return tuple(found)


def _worded(
    asked: Asked, language: AnswerLanguage, wordings: Wordings, original: int, rng: Random
) -> tuple[str, ...]:
    if wordings == "translated":
        return wording(asked, language, "train", original)
    use: Use = "train" if wordings == "native" else "test"
    return wording(asked, language, use, rng.randrange(wording_count(asked, language, use)))


def _easy_vqa_folder() -> Path:
    package = find_spec("easy_vqa")
    if package is None or package.origin is None:
        raise InputError("easy-VQA is not installed: pip install easy-vqa")
    return Path(package.origin).parent / "data"


def read_daquar(root: Path, part: Literal["train", "eval"]) -> tuple[Question, ...]:
    """DAQUAR (Malinowski and Fritz, 2014) as published: 9,974 and 2,494 questions, in English.

    Nearly all photos of ``eval`` are in ``train`` too: see :func:`daquar_by_photo`. An answer may
    be a list, such as ``bottle, vase``; it stays one answer.

    Args:
        root: the data root; it holds ``daquar/data_train.csv``, ``data_eval.csv`` and ``images``.
        part: which file.

    Raises:
        InputError: a file that is missing, or a row that is not ``question,answer,image_id``.
    """
    folder = root / "daquar"
    path = folder / f"data_{part}.csv"
    rows = csv.reader(read_lines(path))
    if next(rows, None) != ["question", "answer", "image_id"]:
        raise InputError(f"{path}:1: expected the columns question,answer,image_id")
    found = []
    for row in rows:
        place = f"{path}:{rows.line_num}"
        if len(row) != 3 or not all(cell.strip() for cell in row):
            raise InputError(f"{place}: expected question,answer,image_id, none of them empty")
        question, answer, image_id = (cell.strip() for cell in row)
        image = folder / "images" / f"{image_id}.jpg"
        if not image.is_file():
            raise InputError(f"{place}: picture {image} does not exist")
        found.append(
            Question(
                id=f"daquar:{part}:{rows.line_num}",
                image_id=image_id,
                text={"en": question},
                answers={answer: 1.0},
                image=image,
                place=place,
            )
        )
    return unique(found)


def daquar_answers(root: Path) -> tuple[str, ...]:
    """The published 582 answers."""
    return tuple(line.strip() for line in read_lines(root / "daquar" / "answer_space.txt"))


def daquar_by_photo(root: Path) -> dict[str, tuple[Question, ...]]:
    """All of DAQUAR, cut so that no photo is in two of ``train``, ``validation`` and ``test``."""
    return split_by_image([*read_daquar(root, "train"), *read_daquar(root, "eval")], DAQUAR_SHARES)


def world_questions(
    world: World,
    split: Split,
    part: Part,
    count: int,
    languages: Sequence[AnswerLanguage] = ("en",),
    *,
    answers: AnswerLanguage = "en",
    wordings: Wordings = "translated",
) -> tuple[Question, ...]:
    """Every question about the first ``count`` scenes of a stream of the embedded world.

    The last wording of each form is kept for testing. ``image_id`` ends in the scene's index.
    Tags are the English nouns of what is there, never their senses.
    """
    found = []
    for index in range(count):
        scene = world.scene(split, index, part)
        kinds = [thing.kind for thing in scene.things]
        kinds += [scene.person.kind] if scene.person is not None else []
        image_id = f"{split.value}:{part.value}:{index}"
        for number, asked in enumerate(questions(scene), start=1):
            identifier = f"{image_id}:{number}"
            rng = Random(f"wording/{world.seed}/{identifier}")
            last = paraphrase_count(asked.form) - 1
            chosen = rng.randrange(last)
            words: dict[str, tuple[str, ...]] = {}
            for language in languages:
                own = rng.randrange(last)
                paraphrase = {"translated": chosen, "native": own, "test": last}[wordings]
                words[language] = question_tokens(asked, language, paraphrase)
            found.append(
                Question(
                    id=identifier,
                    image_id=image_id,
                    text={each: join_words(words[each], each) for each in languages},
                    answers={answer_text(asked.answer, answers): 1.0},
                    type=asked.type.value,
                    tags=tuple(WORDS["en"][kind].singular for kind in kinds),
                    words=words,
                    place=f"scene {index}, question {number}",
                )
            )
    return tuple(found)


__all__ = [
    "DAQUAR_SHARES",
    "Wordings",
    "daquar_answers",
    "daquar_by_photo",
    "read_daquar",
    "read_easy_vqa",
    "world_questions",
]
